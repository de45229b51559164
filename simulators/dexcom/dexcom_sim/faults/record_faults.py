"""Base class of the faults that change records in a response that is otherwise correct."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import AwareDatetime, Field

from dexcom_sim.faults.targeting import FaultContext, TargetedFault
from dexcom_sim.keyed_random import draw
from dexcom_sim.timestamps import unix_s

if TYPE_CHECKING:
    from dexcom_sim.people.records import DatedRecord

_SHARE = 1  # The salt of the random numbers that select records.


class RecordFault(TargetedFault):
    """
    Changes a share of the records that are dated in [since, before).

    The selection is the same in every response, so reading again returns the same changed records.
    """

    share: float = Field(1.0, gt=0.0, le=1.0)
    since: AwareDatetime | None = None
    before: AwareDatetime | None = None

    @property
    def reach_s(self) -> int:
        """How many seconds the fault may move the time of a record."""
        return 0

    def since_s(self, context: FaultContext) -> float:
        """The first second that the fault changes: `since`, or the beginning of time."""
        _ = context
        return unix_s(self.since) if self.since else float("-inf")

    def before_s(self, context: FaultContext) -> float:
        """The first second that the fault no longer changes: `before`, or the end of time."""
        _ = context
        return unix_s(self.before) if self.before else float("inf")

    def selects(self, dated: DatedRecord, context: FaultContext) -> bool:
        """Whether the fault changes this record."""
        in_time = self.since_s(context) <= dated.at_s < self.before_s(context)
        return in_time and draw(context.seed, _SHARE, dated.at_s) < self.share

    def apply(self, records: list[DatedRecord], context: FaultContext) -> list[DatedRecord]:
        """The records of the response after the fault."""
        return [self.change(dated, context) if self.selects(dated, context) else dated for dated in records]

    def change(self, dated: DatedRecord, context: FaultContext) -> DatedRecord:
        """One selected record after the fault."""
        _ = context
        return dated

    def envelope(self) -> dict[str, Any]:
        """Members to add to the response beside its records."""
        return {}


AppliedFault = tuple[RecordFault, FaultContext]


def stable_choice(context: FaultContext, at_s: int, salt: int, count: int) -> int:
    """A number below `count` that stays the same for this record as long as the fault lasts."""
    return int(draw(context.seed, salt, at_s) * count)
