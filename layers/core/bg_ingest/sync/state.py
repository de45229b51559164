"""
Where a user's syncing stands: one item that holds the lease, the running job, and how far the data goes.

              |  HELD by a live holder   |  holder died: anyone may take it  |
              |--------------------------|-----------------------------------|--> time
            taken                   lease_until

Every taking adds one to `fence`, and every later write of the holder names the fence it was given: a holder
that was paused past its lease cannot release, move or overwrite what a newer one holds. Connecting and
disconnecting add one as well: what was running for the connection before has no say in the one after.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bg_ingest.sync import poll_slots
from bg_ingest.sync.job import Job, JobKind, JobStatus, Order, Trigger
from bg_ingest.utc import from_iso

if TYPE_CHECKING:
    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table


SK = "sync"
# A lease may expire only once Lambda has surely ended its holder; a test holds it against the template.
LEASE_TTL = timedelta(seconds=150)
_STILL_OURS = "fence = :fence"
_STOP = "SET fence = fence + :one REMOVE seat, lease_until, running"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to sync one user, until it expires."""

    state: SyncState
    fence: int


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody else is syncing this user."""

    job: Job | None


@dataclass(frozen=True, slots=True)
class SyncStates:
    """The sync item of every user, in the users table."""

    table: Table
    clock: Clock
    default_interval_s: int = 900  # For everybody who has not chosen one.

    def get(self, user_id: str) -> SyncState | None:
        """How it stands; None for a user who never connected."""
        item = self.table.get(user_id, SK)
        return self._state(item) if item else None

    def begin(self, user_id: str, poll_interval_s: int | None, history_from: datetime) -> None:
        """Start polling a user who has just connected, and fetch their history; None is the default pace."""
        # Fences start at the time of day, not at 1: who was erased and came back would soon have one that a
        # sync of their first life still holds, and it would move the history's cursor past what it stored.
        now = self.clock.now()
        self.table.update(
            user_id,
            SK,
            "SET poll_interval_s = :interval, seat = :seat, failures = :none, begun_at = :now,"
            " history_from = if_not_exists(history_from, :start),"
            " backfill_start = :start, backfill_reached = :now, fence = if_not_exists(fence, :first) + :one"
            " REMOVE lease_until, running",
            {
                ":interval": poll_interval_s,
                ":seat": poll_slots.poll_slot(user_id, poll_interval_s or self.default_interval_s),
                ":none": 0,
                ":first": int(now.timestamp() * 1000),
                ":one": 1,
                ":start": history_from.isoformat(),
                ":now": now.isoformat(),
            },
        )

    def stop(self, user_id: str) -> None:
        """Poll this user no more, and let nobody who is at it bring the seat back."""
        self.table.update(user_id, SK, _STOP, {":one": 1}, "attribute_exists(pk)")

    def give_up(self, lease: Lease) -> None:
        """The same after a sync that found no login, unless the person has logged in again meanwhile."""
        self.table.update(lease.state.user_id, SK, _STOP, {":one": 1, ":fence": lease.fence}, _STILL_OURS)

    def choose_interval(self, user_id: str, interval_s: int) -> bool:
        """Poll this user at their own pace from now on; False for one who is not polled."""
        write = self.table.update(
            user_id,
            SK,
            "SET poll_interval_s = :interval, seat = :seat",
            {":interval": interval_s, ":seat": poll_slots.poll_slot(user_id, interval_s)},
            "attribute_exists(seat)",
        )
        return write.accepted

    def reseat(self, user_id: str, old: str, new: str) -> bool:
        """Move a user who sits on `old`; False if somebody stopped or moved them meanwhile."""
        write = self.table.update(user_id, SK, "SET seat = :new", {":new": new, ":old": old}, "seat = :old")
        return write.accepted

    def take(self, order: Order) -> Lease | Busy | None:
        """Take the lease and write down the job it is for; None for a user who never connected."""
        now = self.clock.now()
        # An erased user must not come back as half an item.
        known = "attribute_exists(pk)"
        never_leased = "attribute_not_exists(lease_until)"
        expired = "lease_until <= :now"
        # There is no "OR holder = :holder": the queue may deliver one message twice at once, and both
        # would then hold the lease. A holder is one execution, never a message.
        write = self.table.update(
            order.user_id,
            SK,
            "SET lease_until = :until, fence = fence + :one, running = :running, last_attempt_at = :at",
            {
                ":until": int((now + LEASE_TTL).timestamp()),
                ":now": int(now.timestamp()),
                ":one": 1,
                ":at": now.isoformat(),
                ":running": running_as_item(order, now),
            },
            f"{known} AND ({never_leased} OR {expired})",
        )
        if write.item is None:
            return None
        state = self._state(write.item)
        return Lease(state, write.item["fence"]) if write.accepted else Busy(state.running)

    def advance(self, lease: Lease, reached: datetime) -> bool:
        """Note that the history is stored from `reached` on; hold the lease longer; False if it is lost."""
        until = self.clock.now() + LEASE_TTL
        write = self.table.update(
            lease.state.user_id,
            SK,
            "SET backfill_reached = :reached, lease_until = :until",
            {":reached": reached.isoformat(), ":until": int(until.timestamp()), ":fence": lease.fence},
            _STILL_OURS,
        )
        return write.accepted

    def release(
        self,
        lease: Lease,
        *,
        succeeded: bool,
        data_until: datetime | None,
        reconciled_at: datetime | None = None,
    ) -> bool:
        """Give the lease back with what came of it; False if it was lost meanwhile."""
        values: Item = {":fence": lease.fence}
        if succeeded:
            outcome = "last_success_at = :now, failures = :none"
            values |= {":now": self.clock.now().isoformat(), ":none": 0}
        else:
            outcome = "failures = failures + :one"
            values |= {":one": 1}
        if reconciled_at:
            outcome += ", reconciled_at = :reconciled"
            values |= {":reconciled": reconciled_at.isoformat()}
        # What came meanwhile without a sync may be newer than what this one knew from the start.
        if data_until and data_until != lease.state.data_until:
            outcome += ", data_until = :data_until"
            values |= {":data_until": data_until.isoformat()}
        write = self.table.update(
            lease.state.user_id,
            SK,
            f"SET {outcome} REMOVE lease_until, running",
            values,
            _STILL_OURS,
        )
        return write.accepted

    def note_newest(self, state: SyncState, newest: datetime) -> None:
        """Remember how far the data goes when it came without a sync; whoever holds the lease goes on."""
        if state.data_until and newest <= state.data_until:
            return
        not_older = "data_until < :newest" if state.data_until else "attribute_exists(pk)"
        values: Item = {":newest": newest.isoformat()}
        self.table.update(state.user_id, SK, "SET data_until = :newest", values, not_older)

    def _state(self, item: Item) -> SyncState:
        return state_of(item, self.clock.now(), self.default_interval_s)


# How far one user's syncing has come, and how that is written into their sync item.
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

    def slot_now(self, data_until: datetime | None, now: datetime) -> str:
        """The poll slot this user belongs on when their newest reading is from `data_until`."""
        newest = max(self.begun_at, data_until) if data_until else self.begun_at
        interval_s = poll_slots.interval_now_s(self.poll_interval_s, now - newest)
        return poll_slots.poll_slot(self.user_id, interval_s)


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
        history_from=min(start, from_iso(item.get("history_from")) or start),
        begun_at=datetime.fromisoformat(item["begun_at"]),
        last_success_at=from_iso(item.get("last_success_at")),
        last_attempt_at=from_iso(item.get("last_attempt_at")),
        reconciled_at=from_iso(item.get("reconciled_at")),
        data_until=from_iso(item.get("data_until")),
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
        kind=JobKind(running["kind"]),
        trigger=Trigger(running["trigger"]),
        correlation_id=running["correlation_id"],
    )
    return Job(order, JobStatus.RUNNING, started_at=from_iso(running["started_at"]))
