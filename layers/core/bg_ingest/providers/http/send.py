"""
One call to a provider: what it is, how it is sent, the record of each attempt, and what its response means.

A call is sent through a client that `polite_http` made.

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
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

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
    from collections.abc import Container
    from datetime import datetime

    import httpx


_EXTENSION = "bg_ingest.call"

# The circuit breaker's state for one call. "probing": this call tests whether the provider has recovered.
CircuitState = Literal["closed", "probing", "open"]


def unlimited_s() -> float:
    """The time left of a caller without a deadline."""
    return math.inf


@dataclass(frozen=True, slots=True)
class Call:
    """One call, however many attempts it takes; it travels in the extensions of the httpx request."""

    operation: str  # What the call is for, in logs, metrics and errors: "devices", "refresh".
    path: str  # For logs: without query string and without ids.
    time_left_s: Callable[[], float] = unlimited_s
    # A pseudonym of the account that the call is for. The circuit breaker distinguishes a failure of one
    # account from a failure of the host by it. None: the call is for no account, such as a login.
    account_key: str | None = None
    # 4xx statuses whose response the caller reads itself; 408 and 429 are raised as errors all the same.
    accepted: Container[int] = ()

    def extensions(self) -> dict[str, Any]:
        """The extensions of the httpx request."""
        return {_EXTENSION: self}


def call_of(request: httpx.Request) -> Call:
    """The call that a request belongs to; a request made without `send` gets the operation "other"."""
    call = request.extensions.get(_EXTENSION)
    return call if isinstance(call, Call) else Call("other", request.url.path)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """
    One attempt, or the refusal to make it; it holds no personal data and can be logged as it is.

    `status` is set if a response arrived. `error` is set if the response is missing or unusable: the name of
    a class in errors.py.
    """

    operation: str
    method: str
    path: str
    attempt: int  # From 1.
    sent: bool  # False: refused in this process, the provider was not called.
    status: int | None = None
    error: str | None = None
    latency_s: float = 0.0  # From sending to the last byte.
    size_bytes: int = 0  # Of the response body, decoded.
    waited_s: float = 0.0  # Before this attempt: for the rate limiter, and since the previous attempt.
    circuit: CircuitState | None = None  # None if the attempt was refused before the circuit breaker.


Observe = Callable[[CallRecord], None]


def ignore_record(_: CallRecord) -> None:
    """The observer of a client that is not observed."""


class CircuitTransitions:
    """
    Finds the transitions of one circuit breaker in the records of its calls; thread-safe.

    It sees what this process sees: a breaker shared by many processes may change twice between two calls.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._state: CircuitState = "closed"

    def in_record(self, record: CallRecord) -> tuple[CircuitState, CircuitState] | None:
        """The states before and after, if the record shows a new state."""
        with self._lock:
            before, after = self._state, record.circuit
            if after is None or after == before:
                return None
            self._state = after
            return before, after


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
