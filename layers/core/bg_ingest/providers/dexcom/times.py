# Dexcom's ways of writing an instant, and how they are read.
#
# Rule 1: seconds, fractions and the zone may each be missing or there; parse what is there.
# Rule 2: an offset is rounded to the minute. Phones send -06:59:59 when their clock is a second off.
# Rule 3: systemTime is the instant. displayTime only tells what the wall clock showed, whatever its zone:
#
#     displayTime  2026-02-06T01:12:35-08:00     wall clock  01:12:35
#     systemTime   2026-02-06T09:12:35Z          UTC         09:12:35
#                                                            --------
#                                                 offset       -8:00   to 15 minutes, the rest is drift
#
# Rule 4: what cannot be read is None, never an exception.
"""Dexcom's time strings: read, and written the way its parameters want them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_FORM = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})[Tt ](?P<minute>\d{2}:\d{2})(?P<second>:\d{2})?([.,]\d{1,9})?\s?"
    r"(?P<zone>[Zz]|(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})(:?(?P<seconds>\d{2})(\.\d{1,9})?)?)?",
    re.ASCII,
)
_HALF_MINUTE_S = 30
_QUARTER_MINUTES = 15
# The wall clocks of the world: Baker Island, and Kiritimati.
_OFFSET_MINUTES_MIN, _OFFSET_MINUTES_MAX = -12 * 60, 14 * 60


def instant_of(text: object) -> datetime | None:
    """The instant, in UTC and whole seconds; a string without a zone means UTC."""
    form = _FORM.fullmatch(text) if isinstance(text, str) else None
    wall = _wall_clock(form) if form else None
    if form is None or wall is None:
        return None
    try:
        return (wall - _offset(form)).replace(tzinfo=UTC)
    except OverflowError:  # A zone can lead out of the calendar.
        return None


def local_offset_minutes(system: datetime, display: object) -> int | None:
    """How far the wall clock of displayTime was ahead of UTC; None where that is no offset people live by."""
    form = _FORM.fullmatch(display) if isinstance(display, str) else None
    wall = _wall_clock(form) if form else None
    if wall is None:
        return None
    ahead_s = (wall - system.replace(tzinfo=None)).total_seconds()
    quarter_s = _QUARTER_MINUTES * 60
    minutes = int((ahead_s + quarter_s / 2) // quarter_s) * _QUARTER_MINUTES
    return minutes if _OFFSET_MINUTES_MIN <= minutes <= _OFFSET_MINUTES_MAX else None


def without_zone(instant: datetime) -> str:
    """2026-02-06T09:12:35: UTC, as startDate and endDate want it."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def with_zone(instant: datetime) -> str:
    """2026-02-06T09:12:35Z, as lastSyncTime wants it."""
    return without_zone(instant) + "Z"


def _wall_clock(form: re.Match[str]) -> datetime | None:
    text = f"{form['date']}T{form['minute']}{form['second'] or ':00'}"
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # The thirtieth of February.
        return None


def _offset(form: re.Match[str]) -> timedelta:
    if not form["sign"]:
        return timedelta(0)
    exact_s = int(form["hours"]) * 3600 + int(form["minutes"]) * 60 + int(form["seconds"] or 0)
    minutes = (exact_s + _HALF_MINUTE_S) // 60
    return timedelta(minutes=-minutes if form["sign"] == "-" else minutes)
