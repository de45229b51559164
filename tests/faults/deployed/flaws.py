# The served readings must equal the provider's, and the completeness of the days must agree with them:
#
#     the provider has   o  o  o  o  o  o  o  o | o  o     newest at the right
#     served             o  o  o  o  o  o  o  o | o        may end anywhere behind `due`, and has nothing else
#                                              due         what came later may still be on its way
"""Check that one user's readings are complete and correct."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet
    from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """One reading, with the fields that both sides have."""

    at: datetime
    mg_dl: int
    trend: str | None


@dataclass(frozen=True, slots=True)
class ShownDay:
    """The completeness of one day."""

    date: date
    received: int
    gaps: tuple[tuple[datetime, datetime], ...]


def flaws(
    served: Sequence[Shown],
    had: Sequence[Shown],
    days: Sequence[ShownDay],
    due: datetime,
    published: AbstractSet[datetime] | None = None,
) -> list[str]:
    """Return the names of all flaws.

    `had` was fetched last; `published` has the instants of the published events, or is None without a
    broker.
    """
    instants = [one.at for one in served]
    wanted = [one for one in had if one.at < due]
    found = {
        "twice": len(set(instants)) < len(instants),
        "out of order": instants != sorted(instants),
        "missing": bool({one.at for one in wanted} - set(instants)),
        "not the provider's": bool(set(served) - set(had)),
        "contradicted by its day": any(_contradicts(day, wanted) for day in days),
        "not published": published is not None and bool({one.at for one in wanted} - published),
    }
    return [word for word, is_so in found.items() if is_so]


def _contradicts(day: ShownDay, wanted: Sequence[Shown]) -> bool:
    """Return whether the day counts too few readings, or has a gap where a reading is."""
    too_few = day.received < sum(one.at.date() == day.date for one in wanted)
    # A gap is open at both ends, which are readings or the limits of the day.
    return too_few or any(start < one.at < end for start, end in day.gaps for one in wanted)
