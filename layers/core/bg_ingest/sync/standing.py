"""How far one user's syncing has come, and how that is written into their sync item."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from bg_ingest.sync.instants import from_text
from bg_ingest.sync.job import Job, Kind, Order, Status, Trigger

if TYPE_CHECKING:
    from bg_ingest.dynamo import Item


@dataclass(frozen=True, slots=True)
class Backfill:
    """The history to fetch, newest first: from `start` up, and everything from `reached` on is stored."""

    start: datetime
    reached: datetime

    @property
    def done(self) -> bool:
        """Whether all of it is stored."""
        return self.reached <= self.start


@dataclass(frozen=True, slots=True)
class SyncState:
    """One user's syncing."""

    user_id: str = field(repr=False)
    poll_interval_s: int
    own_interval_s: int | None  # None: whatever is the default for all.
    seat: str | None  # None: not polled, because not connected.
    backfill: Backfill  # Of the last time they connected.
    history_from: datetime  # Nothing older was ever wanted, by this or an earlier login.
    begun_at: datetime  # The last time they connected.
    last_success_at: datetime | None = None
    last_attempt_at: datetime | None = None
    reconciled_at: datetime | None = None
    data_until: datetime | None = field(default=None, repr=False)
    failures: int = 0
    running: Job | None = None


def state_of(item: Item, now: datetime, default_interval_s: int) -> SyncState:
    """What a sync item says; a lease that has expired is held by nobody."""
    own_interval_s = item.get("poll_interval_s")
    start, reached = (datetime.fromisoformat(item[f"backfill_{edge}"]) for edge in ("start", "reached"))
    return SyncState(
        user_id=item["pk"],
        poll_interval_s=own_interval_s or default_interval_s,
        own_interval_s=own_interval_s,
        seat=item.get("seat"),
        backfill=Backfill(start, reached),
        history_from=min(start, from_text(item.get("history_from")) or start),
        begun_at=datetime.fromisoformat(item["begun_at"]),
        last_success_at=from_text(item.get("last_success_at")),
        last_attempt_at=from_text(item.get("last_attempt_at")),
        reconciled_at=from_text(item.get("reconciled_at")),
        data_until=from_text(item.get("data_until")),
        failures=item["failures"],
        running=_running(item) if item.get("lease_until", 0) > now.timestamp() else None,
    )


def running_as_item(order: Order, now: datetime) -> Item:
    """The job a lease is held for."""
    return {
        "job_id": order.job_id,
        "kind": order.kind,
        "trigger": order.trigger,
        "correlation_id": order.correlation_id,
        "started_at": now.isoformat(),
    }


def _running(item: Item) -> Job | None:
    running = item.get("running")
    if running is None:
        return None
    order = Order(
        user_id=item["pk"],
        job_id=running["job_id"],
        kind=Kind(running["kind"]),
        trigger=Trigger(running["trigger"]),
        correlation_id=running["correlation_id"],
    )
    return Job(order, Status.RUNNING, started_at=from_text(running["started_at"]))
