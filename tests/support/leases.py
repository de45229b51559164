"""A sync lease that was not taken from a table, for what a sync does under one."""

from __future__ import annotations

from datetime import UTC, datetime

from bg_ingest.sync.state import Backfill, Lease, SyncState

_FAR = datetime(9999, 1, 1, tzinfo=UTC)


def endless_lease(user_id: str = "ada", source: str = "") -> Lease:
    """A lease that does not expire, and that no login ends."""
    state = SyncState(
        user_id,
        poll_interval_s=900,
        own_interval_s=None,
        slot=None,
        backfill=Backfill(_FAR, _FAR),
        history_from=_FAR,
        connected_at=_FAR,
        source=source,
    )
    return Lease(state, 1, _FAR, _FAR)
