"""
Timestamps in the formats that Dexcom sends and accepts.

`startDate` and `endDate` must have no zone. `lastSyncTime` must have one. Inside the simulator an instant is
a whole number of seconds of Unix time, and its name ends in `_s`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

_QUARTER_S = 900
_WITHOUT_ZONE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}", re.ASCII)
_WITH_ZONE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})", re.ASCII)


def unix_s(instant: datetime) -> int:
    """The whole seconds of Unix time, rounded down."""
    return int(instant.timestamp() // 1)


def parse_parameter(text: str | None) -> int | None:
    """Parse a startDate or an endDate; None if Dexcom would reject it, for example because it has a zone."""
    if text is None or not _WITHOUT_ZONE.fullmatch(text):
        return None
    return _parsed(text + "+00:00")


def parse_with_zone(text: str) -> int | None:
    """Parse a lastSyncTime; None if Dexcom would reject it, for example because it has no zone."""
    return _parsed(text) if _WITH_ZONE.fullmatch(text) else None


def _parsed(text: str) -> int | None:
    try:
        return unix_s(datetime.fromisoformat(text))
    except (ValueError, OverflowError):  # For example 30 February, or a zone that leaves the calendar.
        return None


def written_utc(at_s: int) -> str:
    """Format an instant in UTC: 2026-02-06T09:12:35Z."""
    return datetime.fromtimestamp(at_s, UTC).isoformat()[:19] + "Z"


def written_local(at_s: int, offset_s: int) -> str:
    """Format an instant with a UTC offset: 2026-02-06T01:12:35-08:00."""
    return datetime.fromtimestamp(at_s, timezone(timedelta(seconds=offset_s))).isoformat()


def offset_s(zone: str, at_s: int) -> int:
    """The UTC offset of a time zone at an instant, in seconds."""
    return _offset_in_quarter_s(zone, at_s // _QUARTER_S)


@lru_cache(maxsize=16_384)
def _offset_in_quarter_s(zone: str, quarter: int) -> int:
    # Zones change their offset on the quarter hour only, so one entry per quarter hour is enough.
    local = datetime.fromtimestamp(quarter * _QUARTER_S, ZoneInfo(zone))
    offset = local.utcoffset()
    assert offset is not None  # noqa: S101 - a ZoneInfo always has an offset.
    return int(offset.total_seconds())
