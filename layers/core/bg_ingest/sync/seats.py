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

_MINUTE_S = 60
_RECONCILE_HOURS = 24  # Everybody is reconciled once a day, in an hour of their own.


def seat_of(user_id: str, interval_s: int) -> str:
    """The seat of a user polled every `interval_s` seconds."""
    return _named(interval_s, _number(user_id) % _seats(interval_s))


def seat_due(minute: int, interval_s: int) -> str:
    """The seat the hand points at in this minute."""
    return _named(interval_s, minute % _seats(interval_s))


def due_in_minutes(minutes: range, interval_s: int) -> set[str]:
    """The seats the hand points at in these minutes; however many those are, no seat comes twice."""
    return {seat_due(minute, interval_s) for minute in minutes}


def is_reconciled_in(hours: range, user_id: str) -> bool:
    """Whether this user's hour of the day is among these."""
    number = _number(user_id)
    return any((hour - number) % _RECONCILE_HOURS == 0 for hour in hours)


def reconciled_in_hours(hours: range, interval_s: int) -> set[str]:
    """The seats on which those who are reconciled in these hours may sit."""
    seats = _seats(interval_s)
    # Where the seats divide into hours, the seat tells the hour; on a small face one has to ask everybody.
    if seats % _RECONCILE_HOURS:
        return {_named(interval_s, number) for number in range(seats)}
    return {
        _named(interval_s, number)
        for hour in hours
        for number in range(hour % _RECONCILE_HOURS, seats, _RECONCILE_HOURS)
    }


def next_due_minute(seat: str, after_minute: int) -> int:
    """The first minute after `after_minute` in which this seat is due."""
    interval_s, number = (int(part) for part in seat.split("#"))
    seats = _seats(interval_s)
    return after_minute + 1 + (number - (after_minute + 1)) % seats


def _number(user_id: str) -> int:
    return int.from_bytes(hashlib.sha256(user_id.encode()).digest()[:8], "big")


def _seats(interval_s: int) -> int:
    assert interval_s % _MINUTE_S == 0  # noqa: S101 - settings and the API refuse anything else.
    return interval_s // _MINUTE_S


def _named(interval_s: int, number: int) -> str:
    return f"{interval_s}#{number}"
