# What was served must be what the provider has, and the completeness of the days must not deny it:
#
#     the provider has   o  o  o  o  o  o  o  o | o  o     newest at the right
#     served             o  o  o  o  o  o  o  o | o        may end anywhere behind `due`, and has nothing else
#                                              due         what came later may still be on its way
"""Whether one person's readings are whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet
    from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """One reading, as much of it as both sides show."""

    at: datetime
    mg_dl: int
    trend: str | None


@dataclass(frozen=True, slots=True)
class ShownDay:
    """What the completeness of one day says."""

    date: date
    received: int
    gaps: tuple[tuple[datetime, datetime], ...]


def flaws(
    served: Sequence[Shown],
    had: Sequence[Shown],
    days: Sequence[ShownDay],
    due: datetime,
    told: AbstractSet[datetime] | None = None,
) -> list[str]:
    """What is wrong, in a word each. `had` was asked for last; `told` is what was heard, if at all."""
    instants = [one.at for one in served]
    wanted = [one for one in had if one.at < due]
    found = {
        "twice": len(set(instants)) < len(instants),
        "out of order": instants != sorted(instants),
        "missing": bool({one.at for one in wanted} - set(instants)),
        "not the provider's": bool(set(served) - set(had)),
        "denied by its day": any(_denies(day, wanted) for day in days),
        "not told": told is not None and bool({one.at for one in wanted} - told),
    }
    return [word for word, is_so in found.items() if is_so]


def _denies(day: ShownDay, wanted: Sequence[Shown]) -> bool:
    """Whether it counts fewer than there are, or says that one is missing that is there."""
    too_few = day.received < sum(one.at.date() == day.date for one in wanted)
    # Nothing is known strictly inside a gap; its ends are readings, or the day's own.
    return too_few or any(start < one.at < end for start, end in day.gaps for one in wanted)
