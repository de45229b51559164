"""Calls to a host whose circuit breaker several processes share."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.providers.http.circuit import CircuitRules

if TYPE_CHECKING:
    from bg_ingest.providers.http.shared_breaker import SharedBreaker

HOST = "api.provider.test"
RULES = CircuitRules(
    calls_min=3,
    settle=timedelta(0),
    alone_failures=3,
    half=timedelta(minutes=1),
    failures_kept=timedelta(minutes=2),
    recovery=timedelta(seconds=30),
    probe_max=timedelta(seconds=60),
)


def call(breaker: SharedBreaker, account_key: str | None = None, *, succeeds: bool) -> bool:
    """Make a call if the breaker admits it; return whether it did."""
    permit = breaker.permit(account_key)
    if permit.allowed and succeeds:
        breaker.succeeded(permit)
    elif permit.allowed:
        breaker.failed(permit)
    breaker.share()
    return permit.allowed


def outage(breaker: SharedBreaker, account_key: str | None = None) -> int:
    """Fail calls until one is refused; return how many were made."""
    return next(calls for calls in range(100) if not call(breaker, account_key, succeeds=False))
