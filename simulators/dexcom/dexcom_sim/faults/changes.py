"""Faults of the records in an answer that is otherwise in order: what every such change has, and may do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import AwareDatetime, Field

from dexcom_sim.faults.aim import Aim, Posted
from dexcom_sim.instants import unix_s
from dexcom_sim.noise import draw

if TYPE_CHECKING:
    from dexcom_sim.records import Record

_SHARE = 1  # The salt of the draw that picks records.


@dataclass(frozen=True, slots=True)
class Shown:
    """A record, and the second it is dated; the second stays readable whatever the record says."""

    at_s: int
    record: Record

    def saying(self, **members: Any) -> Shown:
        """The same with other members."""
        return replace(self, record={**self.record, **members})


class Change(Aim):
    """
    A fault of records: of those dated in [since, before), it changes a share.

    Which records those are does not change from answer to answer, so that reading again finds the same.
    """

    share: float = Field(1.0, gt=0.0, le=1.0)
    since: AwareDatetime | None = None
    before: AwareDatetime | None = None

    @property
    def reach_s(self) -> int:
        """How many seconds it may move a record's date."""
        return 0

    def since_s(self, posted: Posted) -> float:
        """The first second it changes; all of the past, unless a kind knows better."""
        _ = posted
        return unix_s(self.since) if self.since else float("-inf")

    def before_s(self, posted: Posted) -> float:
        """The second from which on it changes nothing."""
        _ = posted
        return unix_s(self.before) if self.before else float("inf")

    def picks(self, shown: Shown, posted: Posted) -> bool:
        """Whether that record is one of its share."""
        in_time = self.since_s(posted) <= shown.at_s < self.before_s(posted)
        return in_time and draw(posted.seed, _SHARE, shown.at_s) < self.share

    def applied(self, listed: list[Shown], posted: Posted) -> list[Shown]:
        """The list as it is answered."""
        return [self.changed(shown, posted) if self.picks(shown, posted) else shown for shown in listed]

    def changed(self, shown: Shown, posted: Posted) -> Shown:
        """One record as it is answered."""
        _ = posted
        return shown

    def envelope(self) -> dict[str, Any]:
        """Members of the answer around the records."""
        return {}


Ordered = tuple[Change, Posted]


def chosen(posted: Posted, at_s: int, salt: int, count: int) -> int:
    """A number below `count` that belongs to that record for as long as the fault stands."""
    return int(draw(posted.seed, salt, at_s) * count)
