"""HTTP: receive webhooks from authenticated senders, each of them once."""

from __future__ import annotations

import bg_ingest.telemetry.boot  # noqa: F401 - the first import: it shortens the cold start.

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from typing_extensions import TypedDict

from bg_ingest import problems, telemetry
from bg_ingest.http_api import responding, serving
from bg_ingest.http_api.description import RATE_HEADERS, SYNCING, describe, response
from bg_ingest.http_api.requests import params, webhook_request
from bg_ingest.http_api.requests.webhook_request import EgvsAvailable, EgvsCreated
from bg_ingest.http_api.responding import headers_or_429
from bg_ingest.http_api.serving import ApiSettings
from bg_ingest.problems import Problem
from bg_ingest.telemetry import metrics
from bg_ingest.webhooks.authentication import WebhookAuthenticator
from bg_ingest.webhooks.receive import Reception, WebhookDeps, receive
from bg_ingest.wiring.process import Process, process
from bg_ingest.wiring.webhook_parts import authenticator, webhook_deps

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


class AcceptedWebhookJson(TypedDict):
    """The webhook is queued; its job has the same correlation id."""

    status: Literal["accepted"]
    correlation_id: str


class DuplicateWebhookJson(TypedDict):
    """A webhook with the same id was accepted before."""

    status: Literal["duplicate"]


RECEIVE = describe(
    "receiveWebhook",
    SYNCING,
    "Receive a webhook: a range to fetch, or readings; it is signed, or has a token made for its body",
    response(202, "The webhook is queued", AcceptedWebhookJson, headers=RATE_HEADERS),
    response(200, "A webhook with this id was accepted before", DuplicateWebhookJson, headers=RATE_HEADERS),
    problems=[
        problems.SIGNATURE_INVALID,
        problems.USER_UNKNOWN,
        problems.NOT_FOUND,
        problems.BODY_TOO_LARGE,
        problems.RANGE_TOO_LONG,
        problems.TOO_MANY_REQUESTS,
    ],
    request_headers=["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"],
    raw_bodies=[EgvsAvailable, EgvsCreated],
)

# The outcome that the metric of webhooks counts, by the status of the response.
OUTCOMES: dict[int, str] = {
    HTTPStatus.OK: "duplicate",
    HTTPStatus.ACCEPTED: "accepted",
    HTTPStatus.UNAUTHORIZED: "unproven",
    HTTPStatus.NOT_FOUND: "unknown",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "invalid",
    HTTPStatus.UNPROCESSABLE_ENTITY: "invalid",
    HTTPStatus.TOO_MANY_REQUESTS: "limited",
}


def build(deps: WebhookDeps, authenticator: WebhookAuthenticator, api: ApiSettings) -> APIGatewayHttpResolver:
    """Build the route."""
    # No token of a user or service here: `authenticated_id` below authenticates the sender, and `receive`
    # writes the audit entry.
    app = serving.routes(api, authenticates_itself=True)

    @app.post("/api/bg/<user_id>/webhook", **RECEIVE)
    def webhook(user_id: params.UserId) -> Response[str]:
        event = app.current_event.raw_event
        # Before the sender is authenticated, a response depends on the request alone.
        raw = webhook_request.raw_body(event)
        webhook_id = webhook_request.authenticated_id(event, user_id, raw, authenticator)
        request = webhook_request.parse_request(raw)
        received = receive(deps, user_id, webhook_id, request, telemetry.correlation_id())
        if received.reception is Reception.UNKNOWN:
            raise Problem(problems.USER_UNKNOWN)
        status = received.limit_status
        headers = headers_or_429(deps.limit.policy, status) if status else {}
        if received.reception is Reception.DUPLICATE:
            return responding.json_response({"status": "duplicate"}, headers=headers)
        accepted = {"status": "accepted", "correlation_id": received.correlation_id}
        return responding.json_response(accepted, HTTPStatus.ACCEPTED, headers)

    return app


def _app(own: Process) -> APIGatewayHttpResolver:
    return build(own.part(webhook_deps), own.part(authenticator), ApiSettings.of(own.settings))


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one request."""
    answer = serving.serve(process().part(_app), event, context, process().clock, raw_body=True)
    telemetry.measure(metrics.WEBHOOKS, of=OUTCOMES.get(answer["statusCode"], "failed"))
    return answer
