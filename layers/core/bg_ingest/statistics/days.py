"""Local days: expected and received slots, and whether they suffice for statistics."""

# Rule 1: A reading belongs to the local date of its own instant and its own offset.
# Rule 2: A day begins at its midnight under the offset of its first reading, and ends at the next midnight
#         under the offset of its last reading. So it has 23 or 25 hours when the clocks change, and more or
#         fewer when the person travels. Its length depends on no other day that has readings.
# Rule 3: A day without readings has the offset of the last reading before it. If the day after it
#         has readings, it ends under the offset of the first of them. So an offset that changes during days
#         without readings changes once. Days before the first reading have the offset of that reading.
#         Only readings of the range are looked at. If it has none, its days are days of UTC.
# Rule 4: Slots are expected up to now. Days before the first reading are expected in full: they are part
#         of the range that was asked for.
# Rule 5: A slot counts once in each day that has a reading in it. If two readings beside midnight share a
#         slot, it counts in both days.
#
#             first reading, +01:00                 last reading, +02:00
#   23:00Z    |                                     |   22:00Z
#     |-------x---x---x---x-- clocks change --x---x-x-----|        23 hours: 276 slots
#   00:00 local                                         24:00 local

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from bg_ingest.statistics.series import DAY_S, SLOT_S, day_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from bg_ingest.statistics.series import LocalReadings

DAYS_MIN = 14  # Battelino 2019: fourteen days of which 70 % are measured.
ACTIVE_PERCENT_MIN = 70
_ONE_DAY = timedelta(days=1)


@dataclass(slots=True)
class _Members:
    """The readings of one day."""

    mg_dl: list[int] = field(default_factory=list)
    slots: set[int] = field(default_factory=set)
    offsets: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LocalDay:
    """One local date: what was measured on it, and how many slots it has."""

    date: date
    begun: bool
    expected: int
    received: int
    mg_dl: Sequence[int]

    @property
    def percent(self) -> float | None:
        """The share of the expected slots with a reading; None before the first slot is due."""
        return 100 * self.received / self.expected if self.expected else None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a range was measured."""

    expected: int
    received: int
    active_percent: float | None
    reasons: tuple[str, ...]  # Why the range is insufficient.

    @property
    def sufficient(self) -> bool:
        """Whether fourteen days have 70 % of their slots."""
        return not self.reasons


def local_days(readings: LocalReadings, first: date, last: date, now: datetime) -> tuple[LocalDay, ...]:
    """Every local date from `first` to `last`; all readings must be of these dates."""
    members = _by_day(readings)
    now_s = now.timestamp()
    days = []
    for day, start, end in _edges(members, first, last):
        own = members.get(day_number(day), _Members())
        days.append(
            LocalDay(
                date=day,
                begun=start <= now_s,
                expected=max(round((min(end, now_s) - start) / SLOT_S), 0),
                received=len(own.slots),
                mg_dl=own.mg_dl,
            )
        )
    return tuple(days)


def local_edges(readings: LocalReadings, first: date, last: date) -> list[tuple[date, int, int]]:
    """The same dates with the seconds since 1970 at which each starts and ends, by rules 2 and 3."""
    return list(_edges(_by_day(readings), first, last))


def coverage(days: Sequence[LocalDay]) -> Coverage:
    """The days together; a day counts among the fourteen once it has begun."""
    expected = sum(day.expected for day in days)
    received = sum(day.received for day in days)
    active_percent = 100 * received / expected if expected else None
    begun = sum(day.begun for day in days)
    return Coverage(expected, received, active_percent, tuple(_reasons(begun, active_percent)))


def _reasons(days: int, active_percent: float | None) -> Iterable[str]:
    if days < DAYS_MIN:
        yield f"{days} of {DAYS_MIN} days"
    if active_percent is None or active_percent < ACTIVE_PERCENT_MIN:
        # 69.97 is shown as 69.9: "70.0 % of 70 %" would not explain it.
        shown = min(active_percent or 0, ACTIVE_PERCENT_MIN - 0.1)
        yield f"{shown:.1f} % of {ACTIVE_PERCENT_MIN} %"


def _by_day(readings: LocalReadings) -> dict[int, _Members]:
    days: dict[int, _Members] = {}
    start = 0
    # Runs of one date: travel to the west repeats a date that had ended.
    for number, run in groupby([second // DAY_S for second in readings.local_s]):
        end = start + len(list(run))
        own = days.setdefault(number, _Members())
        own.mg_dl += readings.mg_dl[start:end]
        own.slots.update(readings.slots[start:end])
        own.offsets += readings.offset_s[start], readings.offset_s[end - 1]
        start = end
    return days


def _edges(members: dict[int, _Members], first: date, last: date) -> Iterable[tuple[date, int, int]]:
    numbers = range(day_number(first), day_number(last) + 1)
    for number, (at_start, at_end) in zip(numbers, _offsets(numbers, members), strict=True):
        day = first + (number - numbers[0]) * _ONE_DAY
        yield day, number * DAY_S - at_start, (number + 1) * DAY_S - at_end


def _offsets(numbers: Iterable[int], members: dict[int, _Members]) -> list[tuple[int, int]]:
    """The offsets at both ends of each day: rules 2 and 3."""
    held = members[min(members)].offsets[0] if members else 0
    ends = []
    for number in numbers:
        own, following = members.get(number), members.get(number + 1)
        at_start = own.offsets[0] if own else held
        if own:
            held = own.offsets[-1]
        ends.append((at_start, following.offsets[0] if following and not own else held))
    return ends
