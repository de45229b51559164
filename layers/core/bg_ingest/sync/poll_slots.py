"""
Who is polled in which minute, without writing anything for it.

    A user polled every i seconds sits on one of i/60 seats of a clock face, chosen by a hash of their id.
    The hand moves one seat a minute; whoever sits where it points is due.

           900 s: 15 seats          Load is flat by construction, since a hash spreads users evenly;
             .  14  0  .            a change of interval is a change of seat: one write.
           13     |     1
           12     +--   2           Rule 1: nothing here reads a clock or a table.
            ...       ...           Rule 2: minutes are counted from 1970, so that the hand never jumps,
             .   8  7  .                    whatever day it is and however often this is restarted.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

_MINUTE_S = 60
_RECONCILE_HOURS = 24  # Everybody is reconciled once a day, in an hour of their own.


def poll_slot(user_id: str, interval_s: int) -> str:
    """The seat of a user polled every `interval_s` seconds."""
    return _slot_name(interval_s, _user_number(user_id) % _slot_count(interval_s))


def slot_due(minute: int, interval_s: int) -> str:
    """The seat the hand points at in this minute."""
    return _slot_name(interval_s, minute % _slot_count(interval_s))


def slots_due(minutes: range, interval_s: int) -> set[str]:
    """The seats the hand points at in these minutes; however many those are, no seat comes twice."""
    return {slot_due(minute, interval_s) for minute in minutes}


def is_reconciled_in(hours: range, user_id: str) -> bool:
    """Whether this user's hour of the day is among these."""
    number = _user_number(user_id)
    return any((hour - number) % _RECONCILE_HOURS == 0 for hour in hours)


def slots_reconciled(hours: range, interval_s: int) -> set[str]:
    """The seats on which those who are reconciled in these hours may sit."""
    seats = _slot_count(interval_s)
    # Where the seats divide into hours, the seat tells the hour; on a small face one has to ask everybody.
    if seats % _RECONCILE_HOURS:
        return {_slot_name(interval_s, number) for number in range(seats)}
    return {
        _slot_name(interval_s, number)
        for hour in hours
        for number in range(hour % _RECONCILE_HOURS, seats, _RECONCILE_HOURS)
    }


def next_due_minute(seat: str, after_minute: int) -> int:
    """The first minute after `after_minute` in which this seat is due."""
    interval_s, number = (int(part) for part in seat.split("#"))
    seats = _slot_count(interval_s)
    return after_minute + 1 + (number - (after_minute + 1)) % seats


def _user_number(user_id: str) -> int:
    return int.from_bytes(hashlib.sha256(user_id.encode()).digest()[:8], "big")


def _slot_count(interval_s: int) -> int:
    assert interval_s % _MINUTE_S == 0  # noqa: S101 - settings and the API refuse anything else.
    return interval_s // _MINUTE_S


def _slot_name(interval_s: int, number: int) -> str:
    return f"{interval_s}#{number}"


# How often a user is polled: at the interval they chose, less often when their data has stopped.
#
#     newest reading   0          1 day              7 days
#                      |-- chosen --|-- every hour ----|-- every six hours -->
#
# A user without a sensor for two weeks costs 200 calls instead of 1,300. A receiver that is plugged in every
# few days is seen within the hour. The first new reading restores the chosen interval.

# The longest silence first. Both are among the intervals a user may choose, so the dispatcher knows them.
SLOWED_INTERVALS = ((timedelta(days=7), 21_600), (timedelta(days=1), 3_600))


def interval_now_s(chosen_s: int, quiet_for: timedelta) -> int:
    """The interval for a user whose newest reading is that old; never shorter than the chosen one."""
    return next(
        (max(chosen_s, slow_s) for silence, slow_s in SLOWED_INTERVALS if quiet_for >= silence), chosen_s
    )
