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
_RECONCILE_HOURS = 24  # Each user is reconciled once a day, in an hour chosen by the hash.
# The longest silence first. Both are intervals that a user may choose, so the dispatcher knows them.
SLOWED_INTERVALS = ((timedelta(days=7), 21_600), (timedelta(days=1), 3_600))


def poll_slot(user_id: str, interval_s: int) -> str:
    """The slot of a user who is polled every `interval_s` seconds."""
    return _slot_name(interval_s, _user_number(user_id) % _slot_count(interval_s))


def interval_now_s(chosen_s: int, quiet_for: timedelta) -> int:
    """The interval for a user whose newest reading is that old; never shorter than the chosen one."""
    return next(
        (max(chosen_s, slow_s) for silence, slow_s in SLOWED_INTERVALS if quiet_for >= silence), chosen_s
    )


def slot_due(minute: int, interval_s: int) -> str:
    """The slot that is due in this minute."""
    return _slot_name(interval_s, minute % _slot_count(interval_s))


def slots_due(minutes: range, interval_s: int) -> set[str]:
    """The slots that are due in these minutes, each once."""
    return {slot_due(minute, interval_s) for minute in minutes}


def next_due_minute(slot: str, after_minute: int) -> int:
    """The first minute after `after_minute` in which this slot is due."""
    interval_s, number = (int(part) for part in slot.split("#"))
    slots = _slot_count(interval_s)
    return after_minute + 1 + (number - (after_minute + 1)) % slots


def is_reconciled_in(hours: range, user_id: str) -> bool:
    """Whether this user's hour of reconciliation is among these."""
    number = _user_number(user_id)
    return any((hour - number) % _RECONCILE_HOURS == 0 for hour in hours)


def slots_reconciled(hours: range, interval_s: int) -> set[str]:
    """The slots that can hold users who are reconciled in these hours."""
    slots = _slot_count(interval_s)
    # If the number of slots is a multiple of 24, a slot implies the hour. Otherwise any slot can hold them.
    if slots % _RECONCILE_HOURS:
        return {_slot_name(interval_s, number) for number in range(slots)}
    return {
        _slot_name(interval_s, number)
        for hour in hours
        for number in range(hour % _RECONCILE_HOURS, slots, _RECONCILE_HOURS)
    }


def _user_number(user_id: str) -> int:
    return int.from_bytes(hashlib.sha256(user_id.encode()).digest()[:8], "big")


def _slot_count(interval_s: int) -> int:
    assert interval_s % _MINUTE_S == 0  # noqa: S101 - settings and the API refuse anything else.
    return interval_s // _MINUTE_S


def _slot_name(interval_s: int, number: int) -> str:
    return f"{interval_s}#{number}"
