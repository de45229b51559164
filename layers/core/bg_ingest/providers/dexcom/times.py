# Dexcom's time strings, and how they are parsed.
#
# Rule 1: Seconds, fractions and the zone are each optional.
# Rule 2: If the string has an offset, then it is rounded to the minute. Phones whose clock is a second off
#         send -06:59:59 instead of -07:00.
# Rule 3: systemTime is the instant. displayTime is the wall clock of the device, and its zone is ignored:
#
#     displayTime  2026-02-06T01:12:35-08:00     wall clock  01:12:35
#     systemTime   2026-02-06T09:12:35Z          UTC         09:12:35
#                                                            --------
#                                                 offset       -8:00   to 15 minutes; the rest is clock drift
#
# Rule 4: If a string cannot be parsed, then the result is None. No string raises an exception.
"""Dexcom's time strings: parsed, and formatted for its query parameters."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_FORMAT = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})[Tt ](?P<minute>\d{2}:\d{2})(?P<second>:\d{2})?([.,]\d{1,9})?\s?"
    r"(?P<zone>[Zz]|(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})(:?(?P<seconds>\d{2})(\.\d{1,9})?)?)?",
    re.ASCII,
)
_HALF_MINUTE_S = 30
_QUARTER_MINUTES = 15
# The smallest and the largest offset in use: Baker Island and Kiritimati.
_OFFSET_MINUTES_MIN, _OFFSET_MINUTES_MAX = -12 * 60, 14 * 60


def instant_of(text: object) -> datetime | None:
    """The instant, in UTC and whole seconds; a string without a zone is in UTC."""
    match = _FORMAT.fullmatch(text) if isinstance(text, str) else None
    wall = _wall_clock(match) if match else None
    if match is None or wall is None:
        return None
    try:
        return (wall - _offset(match)).replace(tzinfo=UTC)
    except OverflowError:  # The offset leads beyond year 1 or year 9999.
        return None


def local_offset_minutes(system: datetime, display: object) -> int | None:
    """How far displayTime is ahead of UTC; None if no place on earth has such an offset."""
    match = _FORMAT.fullmatch(display) if isinstance(display, str) else None
    wall = _wall_clock(match) if match else None
    if wall is None:
        return None
    ahead_s = (wall - system.replace(tzinfo=None)).total_seconds()
    quarter_s = _QUARTER_MINUTES * 60
    minutes = int((ahead_s + quarter_s / 2) // quarter_s) * _QUARTER_MINUTES
    return minutes if _OFFSET_MINUTES_MIN <= minutes <= _OFFSET_MINUTES_MAX else None


def without_zone(instant: datetime) -> str:
    """2026-02-06T09:12:35, in UTC: the format of startDate and endDate."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def with_zone(instant: datetime) -> str:
    """2026-02-06T09:12:35Z: the format of lastSyncTime."""
    return without_zone(instant) + "Z"


def _wall_clock(match: re.Match[str]) -> datetime | None:
    text = f"{match['date']}T{match['minute']}{match['second'] or ':00'}"
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # Such as February 30.
        return None


def _offset(match: re.Match[str]) -> timedelta:
    if not match["sign"]:
        return timedelta(0)
    exact_s = int(match["hours"]) * 3600 + int(match["minutes"]) * 60 + int(match["seconds"] or 0)
    minutes = (exact_s + _HALF_MINUTE_S) // 60
    return timedelta(minutes=-minutes if match["sign"] == "-" else minutes)
