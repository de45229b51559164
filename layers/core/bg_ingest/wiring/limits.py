"""The rate limits of callers, put together."""

from __future__ import annotations

from functools import cache

from bg_ingest.access.caller_limits import CallerLimit, LimitPolicy
from bg_ingest.settings import settings
from bg_ingest.wiring import stores


@cache
def connection() -> CallerLimit:
    """How often a caller may start a login."""
    return _limit(LimitPolicy("connection", settings().connections_per_hour_max, 3_600))


@cache
def sync() -> CallerLimit:
    """How often a caller may ask for a sync."""
    return _limit(LimitPolicy("sync", settings().syncs_per_minute_max, 60))


@cache
def webhook() -> CallerLimit:
    """How often a sender may call the webhook."""
    return _limit(LimitPolicy("webhook", settings().webhooks_per_minute_max, 60))


def _limit(policy: LimitPolicy) -> CallerLimit:
    return CallerLimit(stores.users_table(), stores.clock(), policy)
