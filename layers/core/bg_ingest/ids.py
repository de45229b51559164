"""Ids that sort by time: twelve hexadecimal digits of milliseconds, then randomness."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

_TIME_DIGITS = 12
_RANDOM_BYTES = 8


def new_id(now: datetime) -> str:
    """A new id, unique without a lookup."""
    return time_prefix(now) + secrets.token_hex(_RANDOM_BYTES)


def time_prefix(instant: datetime) -> str:
    """The part of an id that sorts by time."""
    return f"{int(instant.timestamp() * 1000):0{_TIME_DIGITS}x}"


def made_at(id_: str) -> datetime:
    """When an id was made, to the millisecond."""
    return datetime.fromtimestamp(int(id_[:_TIME_DIGITS], 16) / 1000, UTC)
