"""
Which users are polled in which minute, without a write per user and minute.

    A user polled every i seconds has one of i/60 slots, chosen by a hash of their id.
    One slot is due each minute, in turn.

        900 s: 15 slots          A hash spreads users evenly, so the load is flat by construction.
          .  14  0  .            A change of interval is a change of slot: one write.
        13     |     1
        12     +--   2           Rule 1: nothing here reads a clock or a table.
         ...       ...           Rule 2: minutes are counted from 1970, so a restart never skips a slot.
          .   8  7  .

A slot is divided into shards, so that no key of the index gets more writes than DynamoDB accepts:

    900#7       slot 7, with one shard         900#7#00 ... 900#7#63       slot 7, with 64 shards

Users of servers of their own have slots apart, since no quota of a provider slows their polls down:

    900#7#own                                  900#7#own00 ... 900#7#own63

How often a user is polled: at the interval they chose, less often when their data has stopped.

    newest reading   0          1 day              7 days
                     |-- chosen --|-- every hour ----|-- every six hours -->

A user without a sensor for two weeks costs 200 calls instead of 1,300. A receiver that is plugged in every
few days is seen within the hour. The first new reading restores the chosen interval.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

_MINUTE_S = 60
DAY_MINUTES = 1_440  # Each user is reconciled once a day, in a minute chosen by the hash.
# Slots of this interval, or a shorter one, have all shards. Slots of longer ones have fewer users.
_SHARDED_S = 900
_OWN = "own"
# The longest silence first. Both are intervals that a user may choose, so the dispatcher knows them.
SLOWED_INTERVALS = ((timedelta(days=7), 21_600), (timedelta(days=1), 3_600))


def poll_slot(user_id: str, interval_s: int, shards: int = 1, *, own_pace: bool = False) -> str:
    """The slot of a user who is polled every `interval_s` seconds; `own_pace`: from a server of their own."""
    user, slots = _user_number(user_id), slot_count(interval_s)
    name, count = f"{interval_s}#{user % slots}", shard_count(interval_s, shards)
    part = "" if count == 1 else f"{user // slots % count:02}"
    return "#".join(filter(None, (name, (_OWN if own_pace else "") + part)))


def shard_count(interval_s: int, shards: int) -> int:
    """The number of shards of each slot of this interval."""
    return max(1, min(shards, shards * _SHARDED_S // interval_s))


def slots_of_shard(interval_s: int, number: int, shard: int, *, own_pace: bool = False) -> tuple[str, ...]:
    """The slots of one shard. The first one also has the users from before the slot was divided."""
    name = f"{interval_s}#{number}"
    undivided, parts = (f"{name}#{_OWN}",) * 2 if own_pace else (name, f"{name}#")
    return (undivided, f"{parts}00") if shard == 0 else (f"{parts}{shard:02}",)


def has_own_pace(slot: str) -> bool:
    """Whether this is a slot of users with servers of their own."""
    return f"#{_OWN}" in slot


def interval_now_s(chosen_s: int, quiet_for: timedelta) -> int:
    """The interval for a user whose newest reading is that old; never shorter than the chosen one."""
    return next(
        (max(chosen_s, slow_s) for silence, slow_s in SLOWED_INTERVALS if quiet_for >= silence), chosen_s
    )


def interval_of(slot: str) -> int:
    """The seconds between two polls of a user with this slot."""
    return int(slot.partition("#")[0])


def number_due(minute: int, interval_s: int) -> int:
    """The number of the slot that is due in this minute."""
    return minute % slot_count(interval_s)


def next_due_minute(slot: str, after_minute: int) -> int:
    """The first minute after `after_minute` in which this slot is due."""
    interval_s, number = (int(part) for part in slot.split("#")[:2])
    slots = slot_count(interval_s)
    return after_minute + 1 + (number - (after_minute + 1)) % slots


def is_reconciled_in(minutes: range, user_id: str) -> bool:
    """Whether this user's minute of reconciliation is among these."""
    return (_user_number(user_id) - minutes.start) % DAY_MINUTES < len(minutes)


def numbers_reconciled(minutes: range, interval_s: int) -> list[int]:
    """The numbers of the slots that can hold users who are reconciled in these minutes, in their order."""
    slots = slot_count(interval_s)
    # If the slots divide the day, a minute of the day implies the slot. Otherwise any slot can hold them.
    if DAY_MINUTES % slots:
        return list(range(slots))
    return [minute % slots for minute in minutes[:slots]]


def slot_count(interval_s: int) -> int:
    """The number of slots of this interval: one for each of its minutes."""
    assert interval_s % _MINUTE_S == 0  # noqa: S101 - settings and the API refuse anything else.
    return interval_s // _MINUTE_S


def _user_number(user_id: str) -> int:
    return int.from_bytes(hashlib.sha256(user_id.encode()).digest()[:8], "big")
