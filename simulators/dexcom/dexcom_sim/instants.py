"""Dexcom's ways of writing an instant, and which of them its own parameters accept."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

_QUARTER_S = 900
_PARAMETER = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}", re.ASCII)
_WITH_ZONE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})", re.ASCII)


def unix_s(instant: datetime) -> int:
    """Whole seconds of Unix time; what is left over has not happened yet."""
    return int(instant.timestamp() // 1)


def parse_parameter(text: str | None) -> int | None:
    """A startDate or endDate in Unix seconds; None when Dexcom would refuse it: it takes no zone."""
    if text is None or not _PARAMETER.fullmatch(text):
        return None
    return _parsed(text + "+00:00")


def parse_with_zone(text: str) -> int | None:
    """A lastSyncTime in Unix seconds; None when Dexcom would refuse it: it insists on a zone."""
    return _parsed(text) if _WITH_ZONE.fullmatch(text) else None


def _parsed(text: str) -> int | None:
    try:
        return unix_s(datetime.fromisoformat(text))
    except (ValueError, OverflowError):  # The thirtieth of February, or a zone that leaves the calendar.
        return None


def written_utc(at_s: int) -> str:
    """2026-02-06T09:12:35Z."""
    return datetime.fromtimestamp(at_s, UTC).isoformat()[:19] + "Z"


def written_local(at_s: int, offset_s: int) -> str:
    """2026-02-06T01:12:35-08:00."""
    return datetime.fromtimestamp(at_s, timezone(timedelta(seconds=offset_s))).isoformat()


def offset_s(zone: str, at_s: int) -> int:
    """How far that zone's wall clocks are ahead of UTC at that second."""
    return _offset_in_quarter_s(zone, at_s // _QUARTER_S)


@lru_cache(maxsize=16_384)
def _offset_in_quarter_s(zone: str, quarter: int) -> int:
    # Zones change their offset on the quarter hour, never within one.
    local = datetime.fromtimestamp(quarter * _QUARTER_S, ZoneInfo(zone))
    offset = local.utcoffset()
    assert offset is not None  # noqa: S101 - a ZoneInfo always knows.
    return int(offset.total_seconds())
