"""Cutting a range of time into the windows Dexcom answers for."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

WINDOW_MAX = timedelta(days=30)  # Version 3; documented.
# Ten years, 122 calls: more than any history, and less than a mistake in a date could cost.
RANGE_MAX = timedelta(days=3653)


def windows(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Windows of whole seconds, oldest first, that cover [start, end) without a gap or an overlap."""
    for instant in (start, end):
        if instant.tzinfo is None:
            raise ValueError("a range of Dexcom's data needs instants with a zone")
    if not timedelta(0) <= end - start <= RANGE_MAX:
        raise ValueError("a range ends after it starts, and within ten years")
    # Dexcom's parameters know whole seconds. Both ends are cut alike, so ranges that meet still meet, and
    # thirty days from some fraction of a second to the same one are one window.
    first, last = (instant.astimezone(UTC).replace(microsecond=0) for instant in (start, end))
    while first < last:
        until = min(first + WINDOW_MAX, last)
        yield first, until
        first = until
