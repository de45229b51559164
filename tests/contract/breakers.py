"""A host whose breaker processes share, and calls of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.providers.http.circuit import CircuitRules

if TYPE_CHECKING:
    from bg_ingest.providers.http.shared_breaker import SharedBreaker

HOST = "api.dexcom.eu"
RULES = CircuitRules(
    failures_max=3,
    failures_kept=timedelta(minutes=2),
    recovery=timedelta(seconds=30),
    probe_max=timedelta(seconds=60),
)


def call(breaker: SharedBreaker, account_key: str | None = None, *, answered: bool) -> bool:
    """Make a call if it is allowed; whether it was."""
    admission = breaker.admit(account_key)
    if admission.allowed and answered:
        breaker.succeeded(admission)
    elif admission.allowed:
        breaker.failed(admission)
    return admission.allowed


def outage(breaker: SharedBreaker, account_key: str | None = None) -> int:
    """How many calls it takes until no more are made."""
    return next(calls for calls in range(100) if not call(breaker, account_key, answered=False))
