"""Ids that sort by the time they were made: jobs, audit entries, receipts, quarantined records."""

#   01a1fc7ab409 4b7e02d91c66f3a8
#   |            |
#   |            16 hexadecimal digits: random, or chosen by the caller
#   12 hexadecimal digits: milliseconds since 1970

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_TIME_DIGITS = 12
_RANDOM_DIGITS = 16
# Hexadecimal digits end at "f", so this text sorts after every id.
AFTER_EVERY_ID = "g"


def new_id(now: datetime, digits: str | None = None) -> str:
    """
    An id made at `now`.

    Two calls give different ids, because the last sixteen digits are random. A caller that needs the same id
    again, for example after a redelivery, passes hexadecimal `digits` of its own; the first sixteen are used.
    """
    ending = secrets.token_hex(_RANDOM_DIGITS // 2) if digits is None else digits[:_RANDOM_DIGITS]
    return f"{(now - _EPOCH) // _MILLISECOND:0{_TIME_DIGITS}x}{ending}"


def milliseconds(sortable_id: str) -> int:
    """When the id was made, in milliseconds since 1970; ValueError if the text is not such an id."""
    return int(sortable_id[:_TIME_DIGITS], 16)


def made_at(sortable_id: str) -> datetime:
    """When the id was made, to the millisecond; ValueError if the text is not such an id."""
    return _EPOCH + milliseconds(sortable_id) * _MILLISECOND
