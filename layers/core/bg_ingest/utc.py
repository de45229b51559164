"""Instants as messages and items hold them: ISO 8601 in UTC, to the microsecond."""

from __future__ import annotations

from datetime import UTC, datetime


def to_iso(instant: datetime | None) -> str | None:
    """An instant in writing."""
    return instant.astimezone(UTC).isoformat() if instant else None


def from_iso(text: str | None) -> datetime | None:
    """What was written."""
    return datetime.fromisoformat(text) if text else None
