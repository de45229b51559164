"""
The sync item of a user's source: the lease, the running job, the poll slot, and how far the data goes.

              |  HELD by a live holder   |  holder died: any process may take it  |
              |--------------------------|----------------------------------------|--> time
            taken                   lease_until

Taking the lease adds one to `fence`, and every later write of the holder names that fence. So a holder that
was paused past its lease cannot release, move or overwrite what a newer holder has. The end of each sync adds
one, and so do connecting and disconnecting: a sync that started for the connection before cannot write for
the one after.

The holder is also the only process that uses the source's refresh token. So a call to the provider ends
before the lease does (`Turn.left_s`). Before `lease_until` only its holder frees the lease, or a login or
the end of the connection: a sync that finds another login than that of its lease stops (connected_provider).

A poll whose access token is valid takes no lease. It reads the item, and its only write names the fence that
it has read. So of two syncs at once both store their readings, each once, and one writes the outcome:

              |  poll A: read, fence 7     hours stored     outcome, fence 7 -> 8      |
              |     poll B: read, fence 7     hours stored      refused: its job gets an item of its own
              |--------------------------------------------------------------------------> time

A poll is an order to be fresh as of the time it was ordered for. It gets no turn if a later fetch has
succeeded, or if it waited for an interval, so that the next poll is due. Such a poll costs no call.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bg_ingest.accounts import connection
from bg_ingest.accounts.connection import (
    FIRST_SOURCE,
    OF_ALL_SOURCES,
    all_sources,
    source_key,
    source_of,
)
from bg_ingest.clock import from_iso
from bg_ingest.dynamo import Change
from bg_ingest.sync import quiet_polls
from bg_ingest.sync.dispatching import poll_slots, poll_stretch
from bg_ingest.sync.dispatching.poll_stretch import PollStretch
from bg_ingest.sync.job import ACCOUNT_CHANGED, INTERNAL, Job, JobKind, JobStatus, Order, Trigger
from bg_ingest.sync.windows import Covered

if TYPE_CHECKING:
    from bg_ingest.accounts.connection import Connection
    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table, Write

SK = "sync"
COVERED = "covered"  # What the next poll knows of the stored readings; a restore removes this attribute.
# A lease may expire only after Lambda has ended its holder; a test compares it with the template.
LEASE_TTL = timedelta(seconds=150)

# An eventually consistent read shows a write within a second, as a rule.
READ_LATE_MAX = timedelta(seconds=2)

# Conditions and changes. The poll slot's attribute is called `seat`, after the index that finds it.
_KNOWN = "attribute_exists(pk)"  # An erased user must not come back as half an item.
_FREE = "(attribute_not_exists(lease_until) OR lease_until <= :now)"
_SAME_FENCE = "fence = :fence"
NOT_POLLED = "attribute_not_exists(seat)"
_STOP_POLLING = "SET fence = fence + :one REMOVE seat, lease_until, running, covered"


@dataclass(frozen=True, slots=True)
class Backfill:
    """The history to fetch, newest first: it starts at `start`; all from `reached` on is stored."""

    start: datetime
    reached: datetime

    @property
    def done(self) -> bool:
        """Whether the whole history is stored."""
        return self.reached <= self.start


@dataclass(frozen=True, slots=True)
class SyncState:
    """The state of syncing one source of a user."""

    user_id: str = field(repr=False)
    poll_interval_s: int
    own_interval_s: int | None  # The user's choice; None: the default.
    slot: str | None  # None: not polled, because not connected.
    backfill: Backfill  # Of the last login.
    history_from: datetime  # The start of the longest history that any login asked for.
    connected_at: datetime  # The last login.
    last_success_at: datetime | None = None
    last_attempt_at: datetime | None = None
    reconciled_at: datetime | None = None
    data_until: datetime | None = field(default=None, repr=False)
    failures: int = 0
    last_error: tuple[str, datetime] | None = None  # The type of the last sync's failure, and its time.
    running: Job | None = None
    covered: Covered | None = field(default=None, repr=False)
    polls: bytes = field(default=b"", repr=False)  # Records of the last quiet polls.
    source: str = FIRST_SOURCE
    relays: bool = False  # The source passes on what another provider measured.

    @property
    def sk(self) -> str:
        """The sort key of its item."""
        return source_key(SK, self.source)

    def interval_in_effect_s(self, stretch: PollStretch) -> int | None:
        """The seconds between two polls as of now; None for a user who is not polled."""
        if self.slot is None:
            return None
        interval_s = poll_slots.interval_of(self.slot)
        return stretch.interval_s(interval_s, own_pace=poll_slots.has_own_pace(self.slot))

    def may_be_polled(self, stretch: PollStretch, now: datetime) -> bool:
        """Whether a poll without the lease may run: one was ordered since the last sync, or is retried."""
        if self.slot is None:
            return False
        began_at = max(self.connected_at, self.last_attempt_at or self.connected_at)
        return self.failures > 0 or began_at < stretch.last_ordered_at(self.slot, now)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one sync of one source began with; each of its writes names the fence."""

    state: SyncState
    fence: int
    began_at: datetime
    lease_until: datetime | None  # None: a poll without the lease, which must not refresh tokens.
    room: int = 0  # The bytes for `covered` and the records with which the item costs one unit a write.
    connection: Connection | None = None  # As it was read with the state.

    def is_ended_by(self, login_at: datetime) -> bool:
        """Whether a login at this time has ended this turn; `login_at` is that of the stored connection."""
        # A login stores both times in one transaction, that of the sync item as the later one. If they differ
        # for longer than a lease lasts, for example after a restore, then no other sync is left.
        is_another = login_at > self.state.connected_at
        return is_another and login_at > self.began_at - LEASE_TTL

    def has_room(self, covered: Covered | None, records: bytes) -> bool:
        """Whether the next sync's item stays within a write unit with these."""
        return len(covered.to_bytes() if covered else b"") + len(records) <= self.room

    def left_s(self, now: datetime) -> float:
        """How long the lease is still held; negative after its end, for example after a pause."""
        return (self.lease_until - now).total_seconds() if self.lease_until else math.inf


@dataclass(frozen=True, slots=True)
class Busy:
    """Another sync holds this user's lease."""

    job: Job | None


@dataclass(frozen=True, slots=True)
class Superseded:
    """A poll is not needed any more: a later fetch has `served` it, or the next poll is due."""

    served: bool


@dataclass(frozen=True, slots=True)
class SyncStates:
    """The sync items, in the users table."""

    table: Table
    clock: Clock
    default_interval_s: int = 900  # For users who have not chosen an interval.
    shards: int = 1  # Of each poll slot.

    def get(self, user_id: str, source: str = FIRST_SOURCE) -> SyncState | None:
        """The state of a user's source; None for one that was never connected."""
        item = self.table.get(user_id, source_key(SK, source))
        return self._state(item) if item else None

    def of_user(self, user_id: str) -> list[SyncState]:
        """The states of all sources of a user, that of the first source first."""
        items = self.table.query(OF_ALL_SOURCES, all_sources(user_id, SK), consistent=True)
        return [self._state(item) for item in items]

    def stretch(self) -> PollStretch:
        """How much longer the intervals are than the users chose."""
        return PollStretch.from_item(self.table.get(poll_stretch.PK, poll_stretch.NAME))

    def start_polling(
        self,
        user_id: str,
        poll_interval_s: int | None,
        history_from: datetime,
        source: str = FIRST_SOURCE,
        *,
        own_pace: bool = False,
        relays: bool = False,
        condition: str | None = None,
    ) -> bool:
        """Poll a user who has just connected, and order their history; None is the default interval."""
        change = self.polling_started(
            user_id, poll_interval_s, history_from, source, own_pace=own_pace, relays=relays
        )
        assert change.expression  # noqa: S101 - it is an update.
        return self.table.update(
            user_id, change.sk, change.expression, change.values or {}, condition
        ).accepted

    def polling_started(
        self,
        user_id: str,
        poll_interval_s: int | None,
        history_from: datetime,
        source: str = FIRST_SOURCE,
        *,
        own_pace: bool = False,
        relays: bool = False,
    ) -> Change:
        """
        Return the write that starts polling, for a transaction with others.

        `own_pace`: the user's server is their own, so no shared quota makes the interval longer. `relays`: it
        passes on what another provider measured.
        """
        # Fences start at the time of day. If they started at 1, a user who was erased and came back would
        # soon have a fence that a sync of the erased connection still holds.
        now = self.clock.now()
        return Change(
            user_id,
            source_key(SK, source),
            "SET poll_interval_s = :interval, seat = :slot, failures = :none, begun_at = :now,"
            f"{' relays = :relays,' if relays else ''}"
            " history_from = if_not_exists(history_from, :start),"
            " backfill_start = :start, backfill_reached = :now, fence = if_not_exists(fence, :first) + :one"
            " REMOVE lease_until, running, covered, last_error",
            {
                ":interval": poll_interval_s,
                ":slot": self._slot(
                    user_id, source, poll_interval_s or self.default_interval_s, own_pace=own_pace
                ),
                **({":relays": True} if relays else {}),
                ":none": 0,
                ":first": int(now.timestamp() * 1000),
                ":one": 1,
                ":start": history_from.isoformat(),
                ":now": now.isoformat(),
            },
        )

    def stop_polling(self, user_id: str, source: str = FIRST_SOURCE) -> None:
        """Poll this source no more; a running sync cannot bring the poll slot back."""
        self.table.transact([self.polling_stopped(user_id, source)])

    def polling_stopped(self, user_id: str, source: str = FIRST_SOURCE) -> Change:
        """Return the write that ends polling, for a transaction with others."""
        sk = source_key(SK, source)
        return Change(user_id, sk, f"{_STOP_POLLING}, last_error", {":one": 1}, condition=_KNOWN)

    def note_other_account(self, user_id: str, source: str = FIRST_SOURCE) -> None:
        """Record that a login was refused because it belongs to another account at the provider."""
        error = {"type": ACCOUNT_CHANGED, "at": self.clock.now().isoformat()}
        self.table.update(
            user_id, source_key(SK, source), "SET last_error = :error", {":error": error}, _KNOWN
        )

    def choose_interval(self, user_id: str, interval_s: int, source: str = FIRST_SOURCE) -> bool:
        """Poll this source at an interval of its own; False if it is not polled."""
        polled = "attribute_exists(seat)"
        change = "SET poll_interval_s = :interval"
        sk = source_key(SK, source)
        write = self.table.update(user_id, sk, change, {":interval": interval_s}, polled)
        if write.accepted and write.item:
            self._move(user_id, source, write.item["seat"], interval_s)
        return write.accepted

    def move_slot(self, state: SyncState, data_until: datetime | None) -> None:
        """Move a user to the poll slot they belong on when their newest reading is from `data_until`."""
        newest = max(state.connected_at, data_until) if data_until else state.connected_at
        interval_s = poll_slots.interval_now_s(state.poll_interval_s, self.clock.now() - newest)
        if state.slot:
            self._move(state.user_id, state.source, state.slot, interval_s)

    def _move(self, user_id: str, source: str, old: str, interval_s: int) -> None:
        new = self._slot(user_id, source, interval_s, own_pace=poll_slots.has_own_pace(old))
        if old != new:  # The write is refused if the slot has changed meanwhile.
            sk, values = source_key(SK, source), {":new": new, ":old": old}
            self.table.update(user_id, sk, "SET seat = :new", values, "seat = :old")

    def take(self, order: Order) -> Turn | Busy | None:
        """Take the lease for an order; None for a user who never connected."""
        # There is no "OR holder = :holder": SQS may deliver one message to two workers at once, and both
        # would then hold the lease. A holder is one execution, never a message.
        now = self.clock.now()
        write = self.table.update(
            order.user_id,
            source_key(SK, order.source),
            "SET lease_until = :until, fence = fence + :one, running = :running, last_attempt_at = :at",
            self._until(now) | {":at": now.isoformat(), ":running": _running_to_item(order, now)},
            f"{_KNOWN} AND {_FREE}",
        )
        if write.item is None:
            return None
        if write.accepted:
            return self._turn(write.item, now, lease_until=_instant_s(write.item["lease_until"]))
        return Busy(self._state(write.item).running)

    def look(self, poll: Order) -> Turn | Busy | Superseded | None:
        """
        Begin a poll without the lease; None for a user who never connected, or who has only just.

        The connection is read with the sync item. Both may be a moment late. Then the poll may fetch what
        another sync has just fetched, and its end is refused.
        """
        now = self.clock.now()
        if poll.interval_s and now - poll.requested_at >= timedelta(seconds=poll.interval_s):
            return Superseded(served=False)
        names = [source_key(name, poll.source) for name in (SK, connection.SK)]
        found = {each["sk"]: each for each in self.table.get_all((poll.user_id, name) for name in names)}
        item, connected = (found.get(name) for name in names)
        if item is None:
            return None
        if item.get("fresh_at", 0) > poll.ordered_ms:
            return Superseded(served=True)
        if item.get("lease_until", 0) > now.timestamp():
            return Busy(self._state(item).running)
        turn = self._turn(item, now, lease_until=None)
        # Of the two reads one may be late: soon after a login, these could be the tokens of the login before.
        if connected is None or now - turn.state.connected_at < READ_LATE_MAX:
            return turn
        return replace(turn, connection=connection.from_item(connected))

    def _turn(self, item: Item, now: datetime, *, lease_until: datetime | None) -> Turn:
        # The item is at its largest while a poll holds the lease.
        leased = {"lease_until": int(now.timestamp()), "running": bytes(quiet_polls.IDS_BYTES)} | item
        room = quiet_polls.room_in(leased, besides=COVERED)
        return Turn(self._state(item), item["fence"], now, lease_until, room)

    def keep_syncs_out(self, user_id: str, source: str = FIRST_SOURCE) -> bool:
        """Take the lease for an erasure and end polling; False while a sync holds the lease."""
        write = self.table.update(
            user_id,
            source_key(SK, source),
            "SET lease_until = :until, fence = fence + :one REMOVE seat, running, covered",
            self._until(self.clock.now()),
            f"{_KNOWN} AND {_FREE}",
        )
        return write.accepted or write.item is None  # Without the item no sync can start.

    def advance(self, turn: Turn, reached: datetime) -> Turn | None:
        """Record that the history is stored from `reached` on; the extended lease, or None if it is lost."""
        until = int((self.clock.now() + LEASE_TTL).timestamp())
        values = {":reached": reached.isoformat(), ":until": until}
        write = self._update(turn, "SET backfill_reached = :reached, lease_until = :until", values)
        return replace(turn, lease_until=_instant_s(until)) if write.accepted else None

    def end(  # noqa: PLR0913 - each is an attribute of the item.
        self,
        turn: Turn,
        *,
        succeeded: bool,
        error: str = INTERNAL,  # The type of the failure, if there was one.
        data_until: datetime | None,
        fresh_at: datetime | None = None,
        reconciled_at: datetime | None = None,
        covered: Covered | None = None,
        polls: bytes | None = None,  # The records of quiet polls from now on, if they change.
        stop_polling: bool = False,
    ) -> bool:
        """Record the outcome and free the lease; False if another sync, or a login, came in between."""
        now = self.clock.now().isoformat()
        values: Item = {":one": 1, ":began": turn.began_at.isoformat()}
        outcome, removed = "fence = fence + :one, last_attempt_at = :began", "lease_until, running"
        if succeeded:
            outcome += ", last_success_at = :now, failures = :none"
            removed += ", last_error"
            values |= {":now": now, ":none": 0}
        else:
            outcome += ", failures = failures + :one, last_error = :error"
            values |= {":error": {"type": error, "at": now}}
        if fresh_at:
            outcome += ", fresh_at = :fresh"
            values |= {":fresh": _ms(fresh_at)}
        if reconciled_at:
            outcome += ", reconciled_at = :reconciled"
            values |= {":reconciled": reconciled_at.isoformat()}
        if covered:
            outcome += ", covered = :covered"
            values |= {":covered": covered.to_bytes()}
        else:
            removed += ", covered"
        if polls is not None:
            outcome += f", {quiet_polls.RECORDS} = :polls"
            removed += f", {quiet_polls.FIRST_FORM}"
            values |= {":polls": polls}
        if stop_polling:
            removed += ", seat"
        # A webhook may have stored a newer reading meanwhile, so an unchanged value is not written.
        if data_until and data_until != turn.state.data_until:
            outcome += ", data_until = :data_until"
            values |= {":data_until": data_until.isoformat()}
        return self._update(turn, f"SET {outcome} REMOVE {removed}", values).accepted

    def record_newest(self, state: SyncState, newest: datetime) -> None:
        """Record a newer reading that came without a sync; this needs no lease."""
        if state.data_until and newest <= state.data_until:
            return
        not_older = "data_until < :newest" if state.data_until else _KNOWN
        values: Item = {":newest": newest.isoformat()}
        self.table.update(state.user_id, state.sk, "SET data_until = :newest", values, not_older)

    def _slot(self, user_id: str, source: str, interval_s: int, *, own_pace: bool) -> str:
        key = source_key(user_id, source)
        return poll_slots.poll_slot(key, interval_s, self.shards, own_pace=own_pace)

    def _update(self, turn: Turn, change: str, values: Item) -> Write:
        """A write of this turn; it is refused if another turn has begun or ended since."""
        return self.table.update(
            turn.state.user_id, turn.state.sk, change, values | {":fence": turn.fence}, _SAME_FENCE
        )

    def _until(self, now: datetime) -> Item:
        until = int((now + LEASE_TTL).timestamp())
        return {":until": until, ":now": int(now.timestamp()), ":one": 1}

    def _state(self, item: Item) -> SyncState:
        return _from_item(item, self.clock.now(), self.default_interval_s)


def _from_item(item: Item, now: datetime, default_interval_s: int) -> SyncState:
    own_interval_s = item.get("poll_interval_s")
    start, reached = (datetime.fromisoformat(item[f"backfill_{edge}"]) for edge in ("start", "reached"))
    leased = item.get("lease_until", 0) > now.timestamp()  # An expired lease has no holder.
    return SyncState(
        user_id=item["pk"],
        poll_interval_s=own_interval_s or default_interval_s,
        own_interval_s=own_interval_s,
        slot=item.get("seat"),
        backfill=Backfill(start, reached),
        history_from=min(start, from_iso(item.get("history_from")) or start),
        connected_at=datetime.fromisoformat(item["begun_at"]),
        last_success_at=from_iso(item.get("last_success_at")),
        last_attempt_at=from_iso(item.get("last_attempt_at")),
        reconciled_at=from_iso(item.get("reconciled_at")),
        data_until=from_iso(item.get("data_until")),
        failures=item["failures"],
        last_error=_last_error(item),
        running=_running_from_item(item) if leased else None,
        covered=Covered.from_bytes(item["covered"]) if "covered" in item else None,
        polls=quiet_polls.records_of(item),
        source=source_of(item),
        relays=item.get("relays", False),
    )


def _instant_s(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1_000)


def _last_error(item: Item) -> tuple[str, datetime] | None:
    error = item.get("last_error")
    return (error["type"], datetime.fromisoformat(error["at"])) if error else None


def _running_to_item(order: Order, now: datetime) -> Item | bytes:
    """A poll's ids alone: their bytes are the room of three further records. Its start is the attempt's."""
    packed = quiet_polls.packed_ids(order) if order.is_poll else None
    return packed or {
        "job_id": order.job_id,
        "kind": order.kind,
        "trigger": order.trigger,
        "correlation_id": order.correlation_id,
        "started_at": now.isoformat(),
    }


def _running_from_item(item: Item) -> Job | None:
    running = item.get("running")
    if running is None:
        return None
    if isinstance(running, bytes):
        poll = quiet_polls.poll_with(running, item["pk"], source_of(item))
        return Job(poll, JobStatus.RUNNING, started_at=from_iso(item["last_attempt_at"]))
    order = Order(
        user_id=item["pk"],
        job_id=running["job_id"],
        kind=JobKind(running["kind"]),
        trigger=Trigger(running["trigger"]),
        correlation_id=running["correlation_id"],
        source=source_of(item),
    )
    return Job(order, JobStatus.RUNNING, started_at=from_iso(running["started_at"]))
