"""HTTP: receive webhooks from authenticated senders, each of them once."""

from __future__ import annotations

import bg_ingest.telemetry.boot  # noqa: F401 - the first import: it shortens the cold start.

import base64
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from typing_extensions import TypedDict

from bg_ingest import problems, telemetry
from bg_ingest.http_api import responding, serving
from bg_ingest.http_api.description import RATE_HEADERS, SYNCING, describe, response
from bg_ingest.http_api.requests import params, parsing
from bg_ingest.http_api.responding import headers_or_429
from bg_ingest.http_api.serving import ApiSettings
from bg_ingest.problems import Problem, invalid_field
from bg_ingest.sync.orders.queue import BODY_BYTES_MAX, pack, parse_body
from bg_ingest.telemetry import metrics
from bg_ingest.webhooks.authentication import WebhookAuthenticator
from bg_ingest.webhooks.receive import Reception, WebhookDeps, WebhookRequest, receive
from bg_ingest.wiring.process import Process, process
from bg_ingest.wiring.webhook_parts import authenticator, webhook_deps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext


_INSTANT = {"format": "date-time"}  # Only for the OpenAPI document, as in params.
_TextInstant = Annotated[str, Field(max_length=40, json_schema_extra=_INSTANT)]


class Range(BaseModel):
    """The times of the first and the last reading that are new or changed, both included."""

    start: _TextInstant
    end: _TextInstant


class Records(BaseModel):
    """The members of a response of the provider's version 3 `egvs` endpoint."""

    records: list[Any] = Field(description="Version 3 egv records")
    userId: str | None = Field(  # noqa: N815 - the provider's own name.
        None, description="The provider's id of the account; records of another account are rejected"
    )


class EgvsAvailable(BaseModel):
    """The provider has new readings in this range; the service fetches them."""

    type: Literal["egvs.available"]
    data: Range


class EgvsCreated(BaseModel):
    """The webhook carries new readings; the service stores them."""

    type: Literal["egvs.created"]
    data: Records


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

_MODELS: dict[str, type[EgvsAvailable | EgvsCreated]] = {
    "egvs.available": EgvsAvailable,
    "egvs.created": EgvsCreated,
}
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


def _raw_body(event: Mapping[str, Any]) -> bytes:
    """Return the body byte for byte; the gateway encodes a body as base64 unless its type is a text type."""
    text = event.get("body") or ""
    try:
        raw = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
    except ValueError:  # Invalid base64: the gateway never sends it, and no signature matches an empty body.
        raw = b""
    if len(raw) > BODY_BYTES_MAX:
        raise Problem(
            problems.BODY_TOO_LARGE,
            f"At most {BODY_BYTES_MAX} bytes. Split the records over several webhooks.",
        )
    return raw


def _authenticated_id(
    event: Mapping[str, Any], user_id: str, raw: bytes, authenticator: WebhookAuthenticator
) -> str:
    """Return the id of the webhook; raise one and the same 401 for every fault of its authentication."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    webhook_id = authenticator.authenticated_id(headers, user_id, raw)
    if webhook_id is None:
        raise Problem(problems.SIGNATURE_INVALID)
    return webhook_id


def _parse_request(raw: bytes) -> WebhookRequest:
    """Parse a body into the range to fetch or the payload to store."""
    try:
        document = parse_body(raw)
    except ValueError:
        raise Problem(problems.INVALID_REQUEST, "The body must be JSON.") from None
    if not isinstance(document, dict):
        raise invalid_field("body", "must be an object")
    kind = document.get("type")
    model = _MODELS.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise invalid_field("type", f"must be one of {', '.join(_MODELS)}")
    try:
        message = model.model_validate(document)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults) from None
    if isinstance(message, EgvsCreated):
        return WebhookRequest(payload=pack(raw))
    return WebhookRequest(window=parsing.parse_span(message.data.start, message.data.end))


def build(deps: WebhookDeps, authenticator: WebhookAuthenticator, api: ApiSettings) -> APIGatewayHttpResolver:
    """Build the route."""
    # No token of a user or service here: `_authenticated_id` authenticates the sender, and `receive` writes
    # the audit entry.
    app = serving.routes(api, authenticates_itself=True)

    @app.post("/api/bg/<user_id>/webhook", **RECEIVE)
    def webhook(user_id: params.UserId) -> Response[str]:
        event = app.current_event.raw_event
        # Before the sender is authenticated, a response depends on the request alone.
        raw = _raw_body(event)
        webhook_id = _authenticated_id(event, user_id, raw, authenticator)
        request = _parse_request(raw)
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
