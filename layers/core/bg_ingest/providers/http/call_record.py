"""What is asked of Dexcom, and the record of what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import httpx

_EXTENSION = "bg_ingest.call"

# How the breaker stood when the call came to it: a prober is let through an open circuit.
CircuitState = Literal["closed", "probing", "open"]


def _unlimited() -> float:
    return math.inf


@dataclass(frozen=True, slots=True)
class Call:
    """One call as its caller sees it, however many attempts it takes; travels with the request."""

    operation: str  # egvs, data_range, devices, exchange, refresh, ...
    path: str  # Without query, and without anybody's id in it.
    time_left_s: Callable[[], float] = _unlimited
    # A pseudonym of the account it is made for, by which the breaker tells one account's trouble from the
    # host's. None: nobody's.
    account_key: str | None = None

    def extensions(self) -> dict[str, Any]:
        """What an httpx request carries it in."""
        return {_EXTENSION: self}


def call_of(request: httpx.Request) -> Call:
    """The call a request belongs to; a request that was made elsewhere is one too."""
    call = request.extensions.get(_EXTENSION)
    return call if isinstance(call, Call) else Call("other", request.url.path)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """
    One attempt, or one that was refused before it was made; safe to log as it is.

    There is a status if an answer arrived, an error if none did or it was unusable: the class in errors.py.
    """

    operation: str
    method: str
    path: str
    attempt: int  # From 1.
    sent: bool  # False: refused here, Dexcom was not called.
    status: int | None = None
    error: str | None = None
    latency_s: float = 0.0  # From sending to the last byte.
    size_bytes: int = 0  # Of the answer's body, decoded.
    waited_s: float = 0.0  # Before it: for our turn, and since the attempt before.
    circuit: CircuitState | None = None  # None where there was no reason to ask the breaker.


Observe = Callable[[CallRecord], None]


def ignore_record(_: CallRecord) -> None:
    """For those who observe nothing."""
