"""An httpx.Client for one host of Dexcom's that behaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from bg_ingest.providers.dexcom.regions import base_url
from bg_ingest.providers.http.admission import AdmissionControl, NoQuota, ProcessBreaker
from bg_ingest.providers.http.call_record import ignore_record
from bg_ingest.providers.http.rate_limiter import ProcessRateLimiter
from bg_ingest.providers.http.transport import PoliteTransport

if TYPE_CHECKING:
    from bg_ingest.clock import Clock
    from bg_ingest.providers.http.admission import Breaker, Quota
    from bg_ingest.providers.http.call_record import Observe
    from bg_ingest.providers.http.policy import Policy
    from bg_ingest.providers.http.rate_limiter import RateLimiter


def admission_control(
    clock: Clock,
    *,
    pace: RateLimiter | None = None,
    breaker: Breaker | None = None,
    quota: Quota | None = None,
) -> AdmissionControl:
    """What calls to one host pass; whatever is not given is this process's own."""
    return AdmissionControl(
        clock,
        pace or ProcessRateLimiter(clock),
        breaker or ProcessBreaker(clock),
        quota or NoQuota(),
    )


def polite_http(
    place: str,
    clock: Clock,
    *,
    admission: AdmissionControl | None = None,
    policy: Policy | None = None,
    observe: Observe = ignore_record,
    inner: httpx.BaseTransport | None = None,
) -> httpx.Client:
    """
    A client for one region ("sandbox", "us", "eu", "jp") or base URL; many threads may share it.

    One client for one host: its breaker is about that host, and its connections stay open.
    """
    polite = PoliteTransport(
        inner or httpx.HTTPTransport(), admission or admission_control(clock), policy, observe=observe
    )
    return httpx.Client(
        base_url=base_url(place),
        transport=polite,
        headers={"User-Agent": "bg-ingest", "Accept": "application/json"},
    )
