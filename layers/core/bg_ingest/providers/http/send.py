"""One request to a provider, through a client that `polite_http` made, and the JSON of its response."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from bg_ingest.providers.errors import ContractBroken, Garbled, TokenRejected

if TYPE_CHECKING:
    import httpx

    from bg_ingest.providers.http.call_record import Call

_NOT_JSON = object()
# Python refuses to parse integers of several thousand digits. Real values have fewer than twenty.
_DIGITS_MAX = 20


def send(http: httpx.Client, method: str, call: Call, *, suffix: str = "", **request: Any) -> httpx.Response:
    """
    Send one request to `call.path` + `suffix`; return the response or raise a ProviderError.

    PoliteTransport raises the errors, so a response has a 2xx status or one of `call.accepted`.
    """
    # A redirect could send the token to another host.
    return http.request(
        method, call.path + suffix, extensions=call.extensions(), follow_redirects=False, **request
    )


def bearer_header(access_token: str) -> dict[str, str]:
    """The Authorization header for a token."""
    # A token that does not fit into a header would appear in the text of an encoding error.
    sendable = access_token.isascii() and access_token.isprintable() and access_token == access_token.strip()
    if not access_token or not sendable:
        raise TokenRejected("the access token contains characters that a header cannot hold")
    return {"Authorization": f"Bearer {access_token}"}


def parse_json_object(response: httpx.Response, operation: str) -> dict[str, Any]:
    """The JSON object in a body; raises Garbled if it is not JSON, ContractBroken if it is not an object."""
    document = parse_json(response, operation)
    if not isinstance(document, dict):
        raise ContractBroken(f"{operation}: the response is not a JSON object")
    return document


def parse_json(response: httpx.Response, operation: str) -> Any:
    """The JSON in a body; raises Garbled if it is not JSON."""
    # An invalid byte or a very long number must not make the rest of the response unreadable.
    text = response.content.decode("utf-8-sig", errors="replace")
    try:
        document = json.loads(text, parse_int=_int)
    except (ValueError, RecursionError):
        document = _NOT_JSON
    if document is _NOT_JSON:  # Raised outside of `except`, because a JSONDecodeError contains the body.
        raise Garbled(f"{operation}: {response.status_code} without JSON")
    return document


def _int(digits: str) -> float:
    return int(digits) if len(digits) <= _DIGITS_MAX else math.inf
