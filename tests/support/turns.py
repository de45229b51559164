"""Turns of syncs: one that holds a lease without an end, and polls that need the lease."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bg_ingest.sync.run import LeaseNeeded
from bg_ingest.sync.state import Backfill, SyncState, Turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.sync.run import Source, SourceOf

_FAR = datetime(9999, 1, 1, tzinfo=UTC)


def endless_turn(user_id: str = "ada", source: str = "") -> Turn:
    """A turn whose lease does not expire, and that no login ends."""
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
    return Turn(state, 1, _FAR, _FAR)


def under_lease(source_of: SourceOf) -> SourceOf:
    """The same sources, for a user whose tokens every sync has to refresh."""

    def with_refresh(turn: Turn, time_left_s: Callable[[], float]) -> Source:
        if turn.lease_until is None:
            raise LeaseNeeded
        return source_of(turn, time_left_s)

    return with_refresh
