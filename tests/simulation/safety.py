"""Invariants that hold at every write, under every fault."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bg_ingest.clock import made_at
from bg_ingest.readings.stored.hour_items import hour_from_item
from bg_ingest.sync.dispatching import poll_slots
from bg_ingest.sync.dispatching.shard import Shard
from bg_ingest.sync.job import JobKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.readings.store import ReadingStore
    from tests.simulation.baton import Actor
    from tests.simulation.provider import SimulatedProvider
    from tests.support.fakes import FakeClock

Item = dict[str, Any]

# The caller of a lease may have read the clock before it was set back.
CLOCK_STEPS_S_MAX = 60


@dataclass
class Safety:
    """Checks every change of the users table; a violated invariant fails the write."""

    clock: FakeClock
    provider: SimulatedProvider
    reading_store: ReadingStore
    moving: Callable[[], Actor | None]
    holders: dict[str, object] = field(default_factory=dict)
    leased_until_s: dict[str, int] = field(default_factory=dict)
    shards_sent: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    polls_sent: set[tuple[str, int]] = field(default_factory=set)  # The user, and the second of the tick.
    users: dict[str, str] = field(default_factory=dict)  # The dispatcher's seat of each user.
    histories: dict[str, bool] = field(default_factory=dict)  # Whether each user's history is complete.

    def wrote(self, table: str, before: Item, after: Item) -> None:
        """Check one accepted write."""
        if table == "readings":
            self._hour(before, after)
        else:
            self._about_user(before, after)

    def _hour(self, before: Item, after: Item) -> None:
        """A stored reading stays stored, regardless of concurrent writers of its hour."""
        # No device here has ticks, so no record is merged with its copy.
        if not before:
            return
        was, is_now = (
            {it.reading.at: it for it in hour_from_item(item).readings} for item in (before, after)
        )
        assert was.keys() <= is_now.keys(), "a stored reading was lost"
        assert all(is_now[at].revision >= it.revision for at, it in was.items()), "a revision was lost"

    def _about_user(self, before: Item, after: Item) -> None:
        match after.get("sk"):
            case "sync":
                self._sync_item(before, after)
            case "minute" if before and after["served"] != before["served"]:
                self._minute(range(before["served"] + 1, after["served"] + 1))
            case str() as sk if sk.startswith("job#"):
                self._job(before, after)

    def sent(self, message: Item) -> None:
        """Check one order sent to the queue."""
        if message["trigger"] == "schedule" and message["kind"] == "incremental":
            self.polls_sent.add((message["user_id"], int(made_at(message["job_id"]).timestamp())))

    def sent_shard(self, message: Item) -> None:
        """Note one shard sent by a tick."""
        shard = Shard.from_message(message)
        if shard.kind is JobKind.INCREMENTAL:
            for user_id in self.users_of(shard):
                self.shards_sent[user_id] += 1

    def users_of(self, shard: Shard) -> list[str]:
        """Return the users whose poll slot belongs to this shard."""
        return [user_id for user_id, seat in self.users.items() if seat in shard.slots]

    def refreshes(self, user_id: str) -> None:
        """Only the holder of the lease refreshes tokens, and never after the lease has ended."""
        assert self.holders[user_id] is self.moving(), "a process without the lease refreshed tokens"
        held = self.clock.now().timestamp() < self.leased_until_s[user_id]
        assert held, "tokens were refreshed after the lease had ended"

    def served_shard(self, shard: Shard, users: list[str]) -> None:
        """A shard's message is deleted after an order was sent for each of its users."""
        if shard.kind is JobKind.INCREMENTAL and not shard.is_over(self.clock.now()):
            for user_id in set(users) & set(self.users_of(shard)):
                assert (user_id, shard.at_s) in self.polls_sent, "a shard was served without one of its users"

    def _sync_item(self, before: Item, after: Item) -> None:
        user_id = after["pk"]
        self.users[user_id] = after["seat"]
        self.leased_until_s[user_id] = after.get("lease_until", 0)
        self.histories[user_id] = after["backfill_reached"] <= after["backfill_start"]
        is_held = before.get("lease_until", 0) > self.clock.now().timestamp() + CLOCK_STEPS_S_MAX
        if before.get("begun_at") != after["begun_at"]:
            self.holders[user_id] = None  # The holder works for an ended connection.
        elif after["fence"] != before["fence"] and "lease_until" in after:
            assert not is_held, "a lease was taken from a live holder"
            self.holders[user_id] = self.moving()
        elif after["fence"] != before["fence"]:
            assert not is_held or self.holders[user_id] is self.moving(), "a sync ended another one's lease"
            self.holders[user_id] = self.moving()  # A poll without the lease, too; it has none from now on.
        elif before["seat"] == after["seat"]:
            assert self.holders[user_id] is self.moving(), "a process without the lease wrote"
        if before.get("backfill_reached") != after["backfill_reached"]:
            self._cursor(user_id, after)

    def _job(self, before: Item, after: Item) -> None:
        """A final status never changes, and a succeeded backfill has stored the history."""
        over = before.get("job_status") in {"succeeded", "failed"}
        assert not over or before == after, "a finished job changed"
        if after["kind"] == "backfill" and after["job_status"] == "succeeded":
            # The history of an ended connection is not tracked.
            gone = self.holders.get(after["pk"]) is None
            assert gone or self.histories[after["pk"]], "an incomplete history was reported as complete"

    def _cursor(self, user_id: str, after: Item) -> None:
        """Every reading above the backfill's cursor, visible at the login, is stored."""
        connected_at = datetime.fromisoformat(after["begun_at"])
        reached = datetime.fromisoformat(after["backfill_reached"])
        stored = {it.reading.at for it in self.reading_store.between(user_id, reached, connected_at)}
        for known in self.provider.visible(user_id, connected_at):
            if reached <= known.at < connected_at:
                assert known.at in stored, "the cursor passed a reading that is not stored"

    def _minute(self, minutes: range) -> None:
        """A minute is recorded as served after the shard of every due user was sent."""
        for user_id, seat in self.users.items():
            if poll_slots.next_due_minute(seat, minutes.start - 1) in minutes:
                assert self.shards_sent[user_id], "a minute was served without one of its users"
                self.shards_sent[user_id] = 0
