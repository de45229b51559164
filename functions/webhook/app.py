"""HTTP: take webhooks in, each once, from senders who prove themselves."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from bg_ingest import problems, telemetry
from bg_ingest.http_api import params, rate_headers, serving, webhook_request
from bg_ingest.problems import Problem
from bg_ingest.webhooks.receive import Reception, WebhookDeps, receive
from bg_ingest.wiring import webhooks

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from bg_ingest.webhooks.authentication import WebhookAuthenticator


def build(deps: WebhookDeps, proof: WebhookAuthenticator) -> APIGatewayHttpResolver:
    """The route, over a desk and the senders that are known."""
    app = serving.routes(own_proof=True)

    @app.post("/api/bg/<user_id>/webhook")
    def webhook(user_id: params.UserId) -> Response[str]:
        event = app.current_event.raw_event
        # Until the proof is good, nothing is said about anything but the request itself.
        raw = webhook_request.raw_body(event)
        webhook_id = webhook_request.authenticated_id(event, raw, proof)
        asked = webhook_request.parse_request(raw)
        received = receive(deps, user_id, webhook_id, asked, telemetry.correlation_id())
        if received.reception is Reception.UNKNOWN:
            raise Problem(problems.USER_UNKNOWN)
        counted = received.standing
        standing = rate_headers.headers_or_429(deps.limit.policy, counted) if counted else {}
        if received.reception is Reception.DUPLICATE:
            return serving.json_response({"status": "duplicate"}, headers=standing)
        accepted = {"status": "accepted", "correlation_id": received.correlation_id}
        return serving.json_response(accepted, HTTPStatus.ACCEPTED, standing)

    return app


@cache
def _app() -> APIGatewayHttpResolver:
    return build(webhooks.deps(), webhooks.proof())


@telemetry.entry_point
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    answer = serving.serve(_app(), event, context, raw_body=True)
    telemetry.measure_webhook(webhook_request.outcome_of(answer["statusCode"]))
    return answer
