"""One question to Dexcom over an httpx.Client, polite or plain: an answer, or an error of our tree."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import httpx

from bg_ingest.providers.errors import ContractBroken, Garbled, TokenRejected, Unavailable

if TYPE_CHECKING:
    from bg_ingest.providers.http.call_record import Call

_NOT_JSON = object()
# Python refuses to read integers of more than a few thousand digits; nothing of Dexcom's needs twenty.
_DIGITS_MAX = 20


def send(http: httpx.Client, method: str, path: str, call: Call, **request: Any) -> httpx.Response:
    """Whatever Dexcom answers, of any status; raises if nothing arrives."""
    try:
        # A redirect would carry the token to wherever it points.
        return http.request(method, path, extensions=call.extensions(), follow_redirects=False, **request)
    except httpx.HTTPError as error:
        failure = no_response_error(error, f"{method} {call.path}")
    raise failure  # Outside the except: h11's text for a bad header repeats the header, token and all.


def bearer_header(access_token: str) -> dict[str, str]:
    """The header that shows a token."""
    # What cannot be in a header would come back inside the text of an encoding error.
    sendable = access_token.isascii() and access_token.isprintable() and access_token == access_token.strip()
    if not access_token or not sendable:
        raise TokenRejected("the access token cannot be sent")
    return {"Authorization": f"Bearer {access_token}"}


def no_response_error(error: httpx.HTTPError, what: str) -> Unavailable | Garbled:
    """What it means that no whole answer arrived; the library's text stays behind, its class is enough."""
    kind = Garbled if isinstance(error, httpx.DecodingError) else Unavailable
    return kind(f"{what}: {type(error).__name__}")


def parse_json_object(response: httpx.Response, what: str) -> dict[str, Any]:
    """The JSON object in an answer's body."""
    # A broken byte or an endless number costs its own record, not the whole answer.
    text = response.content.decode("utf-8-sig", errors="replace")
    try:
        document = json.loads(text, parse_int=_int)
    except (ValueError, RecursionError):
        document = _NOT_JSON
    if document is _NOT_JSON:  # Outside the except: a JSONDecodeError carries the whole body.
        raise Garbled(f"{what}: {response.status_code} without JSON")
    if not isinstance(document, dict):
        raise ContractBroken(f"{what}: the answer is not an object")
    return document


def _int(digits: str) -> float:
    return int(digits) if len(digits) <= _DIGITS_MAX else math.inf
