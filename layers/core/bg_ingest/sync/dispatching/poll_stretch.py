"""
Longer polling intervals for all users when a provider's quota of calls is too small for their number.

A provider limits the calls of an application per hour. If the polls of all users need more, then every
interval becomes longer by the same factor. All users are late by the same share, and none is left out:

    minutes            0   1   2   3   4   5   6   7   8      one slot is due in each turn
    turns at 100 %     0   1   2   3   4   5   6   7   8      15,000 users at 900 s: 60,000 calls an hour
    turns at 200 %     0       1       2       3       4      30,000 users at 900 s: 60,000 calls an hour

Rule 1: Slots are due by turns, and turns follow each other more slowly than minutes. So a change of the
        factor moves no user, skips no slot and repeats none.
Rule 2: The factor is computed once an hour, from the orders of the hour before: see `percent_needed`.
Rule 3: A user's own server has no quota in common with others. Its slots are due by the minute.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.sync.dispatching import poll_slots

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bg_ingest.dynamo import Item, Table

PK = "app#dispatch"
NAME = "minute"  # Of the schedule of polls.
ORDERED_PK = "app#ordered"
HOUR_MINUTES = 60
# The orders of an hour are complete when its last shards have been served.
COMPLETE_AFTER_MINUTES = 5
_MINUTE_S = 60
_WHOLE = 1_000  # Turns are stored in thousandths.
_ORDERED_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PollStretch:
    """How much longer the intervals are, and which turn the schedule has reached."""

    percent: int = 100
    minute: int = 0  # The last minute that was served.
    thousandths: int = 0  # The turns up to that minute.
    hour: int = 0  # The hour in which `percent` was computed.
    claimed_until_s: int = 0  # The end of a running tick's claim of the minutes after `minute`.

    @classmethod
    def from_item(cls, item: Mapping[str, Any] | None) -> PollStretch:
        """Read the schedule's item; without a stretch so far, turns are minutes."""
        if not item or "served" not in item:
            return cls()
        minute = item["served"]
        return cls(
            item.get("stretch_percent", 100),
            minute,
            item.get("turn_thousandths", minute * _WHOLE),
            item.get("stretch_hour", 0),
            item.get("claimed_until", 0),
        )

    def as_attributes(self) -> dict[str, int]:
        """The attributes of the schedule's item, besides the minute."""
        return {
            "stretch_percent": self.percent,
            "turn_thousandths": self.thousandths,
            "stretch_hour": self.hour,
        }

    def at(self, minute: int) -> PollStretch:
        """The stretch when this minute is served."""
        passed = (minute - self.minute) * _WHOLE * 100 // self.percent
        return PollStretch(self.percent, minute, self.thousandths + passed, self.hour)

    @property
    def turn(self) -> int:
        """The last turn that was served."""
        return self.thousandths // _WHOLE

    def interval_s(self, interval_s: int, *, own_pace: bool = False) -> int:
        """The interval in effect for users with this interval."""
        return interval_s if own_pace else interval_s * self.percent // 100

    def next_due_minute(self, slot: str, after_minute: int) -> int:
        """The first minute after `after_minute` in which this slot is due."""
        if poll_slots.has_own_pace(slot):
            return poll_slots.next_due_minute(slot, after_minute)
        reached = self.at(max(after_minute, self.minute))
        missing = poll_slots.next_due_minute(slot, reached.turn) * _WHOLE - reached.thousandths
        return reached.minute + -(-missing * self.percent // (100 * _WHOLE))

    def last_ordered_at(self, slot: str, now: datetime) -> datetime:
        """The start of the last minute for which the polls of this slot may have been ordered."""
        now_s = int(now.timestamp())
        minute = now_s // _MINUTE_S if self.claimed_until_s > now_s else self.minute
        reached = self.at(max(minute, self.minute))
        slots = poll_slots.slot_count(poll_slots.interval_of(slot))
        if poll_slots.has_own_pace(slot):
            ordered = poll_slots.next_due_minute(slot, reached.minute) - slots
        else:
            passed = reached.thousandths - (poll_slots.next_due_minute(slot, reached.turn) - slots) * _WHOLE
            ordered = reached.minute - passed * self.percent // (100 * _WHOLE)
        return datetime.fromtimestamp(ordered * _MINUTE_S, UTC)


def percent_needed(users: Mapping[int, int], turns: Mapping[int, int], calls_per_hour: int) -> int:
    """
    The stretch, at least 100, with which the polls of all users fit into the quota.

    `users` is how many polls were ordered at each interval in the last hour, and `turns` in how many turns.
    Every slot of an interval has as many users as the others, so one turn is a sample; without a stretch an
    hour has 60. Polls that found the quota spent have waited for this hour and take their calls of it first.
    """
    needed = sum(
        count * HOUR_MINUTES / turns[interval_s]
        for interval_s, count in users.items()
        if turns.get(interval_s)
    )
    waiting = min(max(0, sum(users.values()) - calls_per_hour), calls_per_hour / 2)
    return max(100, math.ceil(round(100 * needed / (calls_per_hour - waiting), 6)))


def count(table: Table, minute: int, counts: Mapping[str, int]) -> None:
    """Add to the turns, or to the orders, of the hour of this minute."""
    hour = minute // HOUR_MINUTES
    expires_at = hour * 3_600 + int(_ORDERED_KEPT.total_seconds())
    table.update(
        ORDERED_PK,
        _hour_key(hour),
        f"ADD {', '.join(f'{name} :{name}' for name in counts)} SET expires_at = :expires_at",
        {f":{name}": count for name, count in counts.items()} | {":expires_at": expires_at},
    )


def counts_of(table: Table, hour: int) -> Item | None:
    """The turns and orders of an hour; None if no tick came in it."""
    return table.get(ORDERED_PK, _hour_key(hour))


def _hour_key(hour: int) -> str:
    """The key of the counts of one hour."""
    return f"{datetime.fromtimestamp(hour * 3_600, UTC):%Y-%m-%dT%H}"
