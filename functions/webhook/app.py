"""HTTP: take webhooks in, each once, from senders who prove themselves."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from bg_ingest import problems, telemetry
from bg_ingest.http_api import limiting, params, serving, webhook_request
from bg_ingest.problems import Problem
from bg_ingest.webhooks.receive import Desk, Reception, receive
from bg_ingest.wiring import webhooks

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from bg_ingest.webhooks.proof import Proof


def build(desk: Desk, proof: Proof) -> APIGatewayHttpResolver:
    """The route, over a desk and the senders that are known."""
    app = serving.routes(own_proof=True)

    @app.post("/api/bg/<user_id>/webhook")
    def webhook(user_id: params.UserId) -> Response[str]:
        event = app.current_event.raw_event
        # Until the proof is good, nothing is said about anything but the request itself.
        raw = webhook_request.raw_body(event)
        webhook_id = webhook_request.proven_id(event, raw, proof)
        asked = webhook_request.asked_in(raw)
        received = receive(desk, user_id, webhook_id, asked, telemetry.correlation_id())
        if received.reception is Reception.UNKNOWN:
            raise Problem(problems.USER_UNKNOWN)
        counted = received.standing
        standing = limiting.told(desk.limit.policy, counted) if counted else {}
        if received.reception is Reception.DUPLICATE:
            return serving.answered({"status": "duplicate"}, headers=standing)
        accepted = {"status": "accepted", "correlation_id": received.correlation_id}
        return serving.answered(accepted, HTTPStatus.ACCEPTED, standing)

    return app


@cache
def _app() -> APIGatewayHttpResolver:
    return build(webhooks.desk(), webhooks.proof())


@telemetry.entry_point
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    answer = serving.serve(_app(), event, context, raw_body=True)
    telemetry.measure_webhook(webhook_request.outcome_of(answer["statusCode"]))
    return answer
