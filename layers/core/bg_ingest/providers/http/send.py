"""
One request to a provider, through a client that `polite_http` made, and what its response means.

    status          error
    2xx             none
    429             Throttled       (TryLater)
    401, 403        TokenRejected
    408             Unavailable     (TryLater)
    other 4xx       RequestRefused
    all others      Unavailable     (TryLater)

The body of an error does not matter: providers send bodies of many shapes, also ones that are not JSON. The
body of a success is JSON.
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from bg_ingest.providers.errors import (
    ContractBroken,
    Garbled,
    ProviderError,
    RequestRefused,
    Throttled,
    TokenRejected,
    Unavailable,
)

if TYPE_CHECKING:
    from datetime import datetime

    import httpx

    from bg_ingest.providers.http.call_record import Call


# Limits of providers are per hour. A longer Retry-After than a day is treated as a mistake.
RETRY_AFTER_S_MAX = 86_400.0
_SECONDS = re.compile(r"\d{1,15}(\.\d{1,9})?", re.ASCII)
_NOT_JSON = object()
# Python refuses to parse integers of several thousand digits. Real values have fewer than twenty.
_DIGITS_MAX = 20


def error_for(response: httpx.Response, operation: str, now: datetime) -> ProviderError | None:
    """The error that the status stands for; None for success."""
    status = response.status_code
    text = f"{operation}: {status}"
    if 200 <= status < 300:
        return None
    if status in {401, 403}:
        return TokenRejected(text)
    if 400 <= status < 500 and status not in {408, 429}:
        return RequestRefused(text)
    kind = Throttled if status == 429 else Unavailable
    return kind(text, retry_after_s=retry_after_s(response.headers.get("retry-after"), now))


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """The wait that a Retry-After header asks for, in seconds or as a date; None if it is not readable."""
    if header is None:
        return None
    text = header.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), RETRY_AFTER_S_MAX)
    try:
        date = parsedate_to_datetime(text)
        # The date is naive if its zone is missing or "-0000". HTTP dates are in GMT.
        at = date if date.tzinfo else date.replace(tzinfo=UTC)
        wait_s = (at - now).total_seconds()
    except (ValueError, OverflowError):  # OverflowError: the zone is centuries away.
        return None
    return min(max(wait_s, 0.0), RETRY_AFTER_S_MAX)


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
