"""A call to a provider, and the record of each attempt to make it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Container

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
