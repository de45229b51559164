"""An httpx.Client for one host of Dexcom's that behaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from bg_ingest.dexcom.breaker import ProcessBreaker
from bg_ingest.dexcom.exchange import ignore
from bg_ingest.dexcom.hosts import base_url
from bg_ingest.dexcom.pace import ProcessPace
from bg_ingest.dexcom.transport import PoliteTransport
from bg_ingest.dexcom.turnstile import Turnstile, Unlimited

if TYPE_CHECKING:
    from bg_ingest.clock import Clock
    from bg_ingest.dexcom.breaker import Breaker
    from bg_ingest.dexcom.exchange import Observe
    from bg_ingest.dexcom.pace import Pace
    from bg_ingest.dexcom.policy import Policy
    from bg_ingest.dexcom.turnstile import Quota


def make_turnstile(
    clock: Clock,
    *,
    pace: Pace | None = None,
    breaker: Breaker | None = None,
    quota: Quota | None = None,
) -> Turnstile:
    """What calls to one host pass; whatever is not given is this process's own."""
    return Turnstile(
        clock,
        pace or ProcessPace(clock),
        breaker or ProcessBreaker(clock),
        quota or Unlimited(),
    )


def polite_http(
    place: str,
    clock: Clock,
    *,
    turnstile: Turnstile | None = None,
    policy: Policy | None = None,
    observe: Observe = ignore,
    inner: httpx.BaseTransport | None = None,
) -> httpx.Client:
    """
    A client for one region ("sandbox", "us", "eu", "jp") or base URL; many threads may share it.

    One client for one host: its breaker is about that host, and its connections stay open.
    """
    polite = PoliteTransport(
        inner or httpx.HTTPTransport(), turnstile or make_turnstile(clock), policy, observe=observe
    )
    return httpx.Client(
        base_url=base_url(place),
        transport=polite,
        headers={"User-Agent": "bg-ingest", "Accept": "application/json"},
    )
