"""The rate limits of callers, put together."""

from __future__ import annotations

from functools import cache

from bg_ingest.access.limits import Policy, RateLimit
from bg_ingest.settings import settings
from bg_ingest.wiring import stores


@cache
def connection() -> RateLimit:
    """How often a caller may start a login."""
    return _limit(Policy("connection", settings().connections_per_hour_max, 3_600))


@cache
def sync() -> RateLimit:
    """How often a caller may ask for a sync."""
    return _limit(Policy("sync", settings().syncs_per_minute_max, 60))


@cache
def webhook() -> RateLimit:
    """How often a sender may call the webhook."""
    return _limit(Policy("webhook", settings().webhooks_per_minute_max, 60))


def _limit(policy: Policy) -> RateLimit:
    return RateLimit(stores.users_table(), stores.clock(), policy)
