# The served readings must equal the provider's, and the completeness of the days must agree with them:
#
#     the provider has   o  o  o  o  o  o  o  o | o  o     newest at the right
#     served             o  o  o  o  o  o  o  o | o        may end anywhere behind `due`, and has nothing else
#                                              due         what came later may still be on its way
#
# A user of two sources is compared with what the sensor's provider has, and with what only the relay has:
#
#     the provider has   o     o     o     o
#     the relay has       x     x           x         each some seconds later
#     wanted             o      o    o     o x        one that was relayed first keeps that instant
"""Check that one user's readings are complete and correct."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet
    from datetime import date, datetime

# A relayed record is at most this far from the measurement's record at the sensor's provider.
RELAYED_APART_MAX = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Due:
    """Until when each source's readings must be served: every source has a clock of its own."""

    provider: datetime
    own_server: datetime


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


def only_relayed(relayed: Sequence[Shown], measured: Sequence[Shown]) -> list[Shown]:
    """Return the relayed readings that the sensor's provider does not have."""
    return [one for one in relayed if _nearest(one.at, measured) is None]


def as_served(had: Sequence[Shown], served: Sequence[Shown]) -> list[Shown]:
    """Return what both sources have; a reading that was relayed first is served at the relay's instant."""
    return [replace(one, at=_nearest(one.at, served) or one.at) for one in had]


def _nearest(at: datetime, shown: Sequence[Shown]) -> datetime | None:
    near = [one.at for one in shown if abs(one.at - at) <= RELAYED_APART_MAX]
    return min(near, key=lambda instant: abs(instant - at), default=None)


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
