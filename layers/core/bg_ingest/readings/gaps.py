"""Gaps in a series that should have a reading every five minutes."""

#   readings   x   x   x . . x   x   x . . . . . .|
#                      |<--->|           |<------->|
#                    start  end        start      end of the range
#
# A gap reaches from one reading to the next, or to an end of the range, if at least one reading is missing in
# between. Its start and end may be readings, its inside has none. So fetching `[start, end)` brings every
# missing reading.

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

INTERVAL = timedelta(minutes=5)

# Sensors jitter by a second, clocks are adjusted, and a new sensor starts at any second. Half an interval
# covers all of these, and no missing reading hides in it: if one is missing, two readings are two intervals
# apart. Only at an end of the range a missing reading can hide, because the series beyond the end is not
# known.
TOLERANCE = INTERVAL / 2


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch without readings, and the number of readings that are missing in it."""

    start: datetime
    end: datetime
    missing: int


def find_gaps(
    instants: Iterable[datetime],
    start: datetime,
    end: datetime,
    *,
    interval: timedelta = INTERVAL,
    tolerance: timedelta = TOLERANCE,
) -> tuple[Gap, ...]:
    """The gaps of `[start, end)`, oldest first. The instants may have any order."""
    known = sorted({instant for instant in instants if start <= instant < end})
    if not known:
        nothing = Gap(start, end, (end - start) // interval)
        return (nothing,) if nothing.missing > 0 else ()
    longest = interval + tolerance
    far_apart = ((one, other) for one, other in pairwise(known) if other - one >= longest)
    stretches = (
        Gap(start, known[0], (known[0] - start) // interval),
        *(Gap(one, other, (other - one + interval / 2) // interval - 1) for one, other in far_apart),
        Gap(known[-1], end, -((known[-1] - end) // interval) - 1),  # Rounded up: the end is not a reading.
    )
    return tuple(gap for gap in stretches if gap.end - gap.start >= longest and gap.missing > 0)
