"""Faults that change values, times, order or number of the records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dexcom_sim.faults.record_faults import RecordFault, stable_choice
from dexcom_sim.keyed_random import digest, draw
from dexcom_sim.people.glucose import DAY_S
from dexcom_sim.people.records import DatedRecord, value_and_status
from dexcom_sim.timestamps import offset_s, written_local, written_utc

if TYPE_CHECKING:
    from dexcom_sim.faults.targeting import FaultContext

# Salts of the random numbers, one per use.
_ORDER, _VALUE = 2, 3


class ClockDrift(RecordFault):
    """The device's clock is `drift_s` ahead from the start of the fault on, so readings lie in the future."""

    kind: Literal["clock_drift"] = "clock_drift"
    drift_s: int = Field(ge=-7 * DAY_S, le=7 * DAY_S)

    @property
    def reach_s(self) -> int:
        """Records move by the drift."""
        return abs(self.drift_s)

    def since_s(self, context: FaultContext) -> float:
        """`since`, or the start of the fault: earlier readings have the right time."""
        return super().since_s(context) if self.since else context.at_s

    def change(self, dated: DatedRecord, context: FaultContext) -> DatedRecord:
        """Move both times. The transmitter's ticks stay."""
        at_s = dated.at_s + self.drift_s
        drifted = DatedRecord(at_s, dated.record)
        return drifted.with_members(
            systemTime=written_utc(at_s), displayTime=_displayed(dated, at_s, context)
        )


class Duplicates(RecordFault):
    """Returns each measurement a second time, from another device, seconds apart, with another record id."""

    kind: Literal["duplicates"] = "duplicates"
    apart_s: int = Field(7, ge=-120, le=120)
    device: str = "receiver"

    @property
    def reach_s(self) -> int:
        """The copy is that many seconds away."""
        return abs(self.apart_s)

    def apply(self, records: list[DatedRecord], context: FaultContext) -> list[DatedRecord]:
        """Put each copy after its original."""
        both: list[DatedRecord] = []
        for dated in records:
            both.append(dated)
            if self.selects(dated, context):
                both.append(self._copy(dated, context))
        return both

    def _copy(self, dated: DatedRecord, context: FaultContext) -> DatedRecord:
        at_s = dated.at_s + self.apart_s
        return DatedRecord(at_s, dated.record).with_members(
            recordId=_other_id(dated, context),
            systemTime=written_utc(at_s),
            displayTime=_displayed(dated, at_s, context)[:19],
            displayDevice=self.device,
            displayApp=None,
        )


class RevisedValues(RecordFault):
    """Changes the values of records that were returned before: by default those of the last day."""

    kind: Literal["revised_values"] = "revised_values"
    by_mg_dl: int = Field(7, ge=-300, le=300)
    new_record_ids: bool = False

    def since_s(self, context: FaultContext) -> float:
        """`since`, or a day before the start of the fault."""
        return super().since_s(context) if self.since else context.at_s - DAY_S

    def before_s(self, context: FaultContext) -> float:
        """`before`, or the start of the fault: later readings are new, not revised."""
        return super().before_s(context) if self.before else context.at_s

    def change(self, dated: DatedRecord, context: FaultContext) -> DatedRecord:
        """Add to the value. A value below 40 counts as 39 and a value above 400 as 401."""
        if not isinstance(dated.record["value"], int):
            return dated
        value, status = value_and_status(dated.record["value"] + self.by_mg_dl)
        revised = dated.with_members(value=value, status=status)
        return revised.with_members(recordId=_other_id(dated, context)) if self.new_record_ids else revised


class OddValues(RecordFault):
    """Replaces values by numbers that a sensor should not report."""

    kind: Literal["odd_values"] = "odd_values"
    values: tuple[int, ...] = Field((0, 12, 38, 402, 600), min_length=1)

    def change(self, dated: DatedRecord, context: FaultContext) -> DatedRecord:
        """Set one of the values, always the same one for the same record."""
        return dated.with_members(
            value=self.values[stable_choice(context, dated.at_s, _VALUE, len(self.values))]
        )


class Unordered(RecordFault):
    """Returns the records in random order."""

    kind: Literal["unordered"] = "unordered"

    def apply(self, records: list[DatedRecord], context: FaultContext) -> list[DatedRecord]:
        """Sort by a random number that stays the same for the same record."""
        return sorted(records, key=lambda dated: draw(context.seed, _ORDER, dated.at_s))


def _displayed(dated: DatedRecord, at_s: int, context: FaultContext) -> str:
    assert context.person is not None  # noqa: S101 - a response with records always has a user.
    text = written_local(at_s, offset_s(context.person.zone, at_s))
    return text if len(dated.record["displayTime"]) > len("2026-02-06T09:12:35") else text[:19]


def _other_id(dated: DatedRecord, context: FaultContext) -> str:
    text = digest("again", context.seed, dated.record["recordId"]).hex()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-a{text[17:20]}-{text[20:32]}"
