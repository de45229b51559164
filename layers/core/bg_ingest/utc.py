"""Instants as text, always in UTC."""

# Two forms. ISO 8601 to the microsecond is what items and messages hold: `to_iso` and `from_iso`.
# RFC 3339 to the second is what callers and consumers see: `rfc_3339`.
#
# Both accept None and then return None, because many instants are optional: "not finished yet".

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import overload

HOUR = timedelta(hours=1)


@overload
def to_iso(instant: datetime) -> str: ...
@overload
def to_iso(instant: datetime | None) -> str | None: ...
def to_iso(instant: datetime | None) -> str | None:
    """ISO 8601 to the microsecond: `2026-11-21T05:01:02.345678+00:00`."""
    return instant.astimezone(UTC).isoformat() if instant else None


@overload
def from_iso(text: str) -> datetime: ...
@overload
def from_iso(text: str | None) -> datetime | None: ...
def from_iso(text: str | None) -> datetime | None:
    """The instant that `to_iso` wrote."""
    return datetime.fromisoformat(text) if text else None


@overload
def rfc_3339(instant: datetime) -> str: ...
@overload
def rfc_3339(instant: datetime | None) -> str | None: ...
def rfc_3339(instant: datetime | None) -> str | None:
    """RFC 3339 to the second: `2026-11-21T05:01:02Z`. A fraction of a second is cut off."""
    # Half the time of strftime.
    return f"{instant.astimezone(UTC).isoformat()[:19]}Z" if instant else None


def hour_of(instant: datetime) -> datetime:
    """The start of the hour that contains the instant."""
    return instant.replace(minute=0, second=0, microsecond=0)
