"""httpx client for one host, with rate limit, circuit breaker, quota and retries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from bg_ingest.providers.http.admission import AdmissionControl, ProcessBreaker, RateLimiter
from bg_ingest.providers.http.send import ignore_record
from bg_ingest.providers.http.transport import PoliteTransport

if TYPE_CHECKING:
    from bg_ingest.clock import Clock
    from bg_ingest.providers.http.admission import Breaker, Quota
    from bg_ingest.providers.http.policy import Policy
    from bg_ingest.providers.http.send import Observe


def admission_control(
    clock: Clock,
    *,
    rate_limiter: RateLimiter | None = None,
    breaker: Breaker | None = None,
    quota: Quota | None = None,
) -> AdmissionControl:
    """Admission control of one host; by default it counts in this process only and has no quota."""
    return AdmissionControl(
        clock, rate_limiter or RateLimiter(clock), breaker or ProcessBreaker(clock), quota
    )


def polite_http(
    base_url: str,
    clock: Clock,
    *,
    admission: AdmissionControl | None = None,
    policy: Policy | None = None,
    observe: Observe = ignore_record,
    inner: httpx.BaseTransport | None = None,
) -> httpx.Client:
    """
    A client for the host at `base_url`; thread-safe, and many accounts can share it.

    Use one client per host: the circuit breaker is about one host, and connections are reused.
    """
    transport = PoliteTransport(
        inner or httpx.HTTPTransport(), admission or admission_control(clock), policy, observe=observe
    )
    return httpx.Client(
        base_url=base_url,
        transport=transport,
        headers={"User-Agent": "bg-ingest", "Accept": "application/json"},
    )
