"""HTTP side of a webhook: its raw body, its authentication and its schema."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError

from bg_ingest import problems
from bg_ingest.http_api.requests import parsing
from bg_ingest.problems import Problem, invalid_field
from bg_ingest.sync.orders.queue import BODY_BYTES_MAX, pack, parse_body
from bg_ingest.webhooks.receive import WebhookRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bg_ingest.webhooks.authentication import WebhookAuthenticator

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


_MODELS: dict[str, type[EgvsAvailable | EgvsCreated]] = {
    "egvs.available": EgvsAvailable,
    "egvs.created": EgvsCreated,
}


def raw_body(event: Mapping[str, Any]) -> bytes:
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


def authenticated_id(
    event: Mapping[str, Any], user_id: str, raw: bytes, authenticator: WebhookAuthenticator
) -> str:
    """Return the id of the webhook; raise one and the same 401 for every fault of its authentication."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    webhook_id = authenticator.authenticated_id(headers, user_id, raw)
    if webhook_id is None:
        raise Problem(problems.SIGNATURE_INVALID)
    return webhook_id


def parse_request(raw: bytes) -> WebhookRequest:
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
