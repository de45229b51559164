"""A webhook as an HTTP request: its raw body, its proof, and what its body asks for."""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError

from bg_ingest import problems
from bg_ingest.http_api import params
from bg_ingest.problems import Problem
from bg_ingest.webhooks.payload import BODY_BYTES_MAX, document_of, pack
from bg_ingest.webhooks.receive import WebhookOrder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bg_ingest.webhooks.authentication import WebhookAuthenticator

_INSTANT = {"format": "date-time"}  # For the description only, as in params.
_TextInstant = Annotated[str, Field(max_length=40, json_schema_extra=_INSTANT)]


class Range(BaseModel):
    """From the first to the last reading there is something new about, both included."""

    start: _TextInstant
    end: _TextInstant


class Records(BaseModel):
    """What a version 3 egvs answer holds."""

    records: list[Any] = Field(description="Version 3 egv records")
    userId: str | None = Field(  # noqa: N815 - the provider's own name.
        None, description="The provider's id of the account; records of another one are refused"
    )


class EgvsAvailable(BaseModel):
    """There is something new at the provider: fetch it."""

    type: Literal["egvs.available"]
    data: Range


class EgvsCreated(BaseModel):
    """Here is something new: store it."""

    type: Literal["egvs.created"]
    data: Records


_OUTCOMES: dict[int, str] = {
    HTTPStatus.OK: "duplicate",
    HTTPStatus.ACCEPTED: "accepted",
    HTTPStatus.UNAUTHORIZED: "unproven",
    HTTPStatus.NOT_FOUND: "unknown",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "invalid",
    HTTPStatus.UNPROCESSABLE_ENTITY: "invalid",
    HTTPStatus.TOO_MANY_REQUESTS: "limited",
}
_KINDS: dict[str, type[EgvsAvailable | EgvsCreated]] = {
    "egvs.available": EgvsAvailable,
    "egvs.created": EgvsCreated,
}


def raw_body(event: Mapping[str, Any]) -> bytes:
    """The body byte for byte; the gateway hands over as base64 whatever is not labelled as text."""
    text = event.get("body") or ""
    try:
        raw = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
    except ValueError:  # No gateway sends this; no proof can be good for it.
        raw = b""
    if len(raw) > BODY_BYTES_MAX:
        raise Problem(problems.BODY_TOO_LARGE, f"At most {BODY_BYTES_MAX} bytes.")
    return raw


def authenticated_id(event: Mapping[str, Any], raw: bytes, proof: WebhookAuthenticator) -> str:
    """The webhook's id; whatever is wrong with its proof, the answer is the same."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    webhook_id = proof.authenticated_id(headers, raw)
    if webhook_id is None:
        raise Problem(problems.SIGNATURE_INVALID)
    return webhook_id


def parse_request(raw: bytes) -> WebhookOrder:
    """What a body asks for."""
    try:
        document = document_of(raw)
    except ValueError:
        raise Problem(problems.INVALID_REQUEST, "The body must be JSON.") from None
    if not isinstance(document, dict):
        fault = {"field": "body", "reason": "must be an object"}
        raise Problem(problems.INVALID_REQUEST, errors=[fault])
    kind = document.get("type")
    model = _KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        fault = {"field": "type", "reason": f"must be one of {', '.join(_KINDS)}"}
        raise Problem(problems.INVALID_REQUEST, errors=[fault])
    try:
        message = model.model_validate(document)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults) from None
    if isinstance(message, EgvsCreated):
        return WebhookOrder(payload=pack(raw))
    return WebhookOrder(window=params.parse_span(message.data.start, message.data.end))


def outcome_of(status: int) -> str:
    """What a webhook counts as, by how it was answered."""
    return _OUTCOMES.get(status, "failed")
