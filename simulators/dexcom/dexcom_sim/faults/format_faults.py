"""Faults that change how records are written: unknown words, missing or extra members, other units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from dexcom_sim.faults.record_faults import RecordFault, stable_choice
from dexcom_sim.people.records import DatedRecord

if TYPE_CHECKING:
    from dexcom_sim.faults.targeting import FaultContext

_MG_DL_PER_MMOL_L = 18.0182
_WORD = 5  # The salt of the random numbers that select words.

_UNKNOWN: dict[str, tuple[str, ...]] = {
    "transmitterGeneration": ("g6 pro", "g715day", "g8"),
    "transmitterGenerationVariant": ("g6 pro", "g715day", "g7 pediatric"),
    "displayDevice": ("watch", "pump", "unknown"),
    "displayApp": ("G8", "Clarity", "G6 Pro"),
    "trend": ("tripleUp", "FLAT", ""),
    "status": ("ok", "unknown", "calibrating"),
}
Enumerated = Literal[
    "transmitterGeneration", "transmitterGenerationVariant", "displayDevice", "displayApp", "trend", "status"
]
Optional = Literal[
    "value", "status", "trend", "trendRate", "transmitterId", "displayApp", "transmitterGenerationVariant"
]


class UnknownEnums(RecordFault):
    """Uses words that are not in Dexcom's published lists. `g6 pro` and `g715day` were observed at Dexcom."""

    kind: Literal["unknown_enums"] = "unknown_enums"
    members: tuple[Enumerated, ...] = Field(
        ("transmitterGeneration", "transmitterGenerationVariant", "displayDevice", "trend"), min_length=1
    )

    def change(self, dated: DatedRecord, context: FaultContext) -> DatedRecord:
        """Set an unknown word in each of the members."""
        words = {name: _UNKNOWN[name][stable_choice(context, dated.at_s, _WORD, 3)] for name in self.members}
        return dated.with_members(**words)


class MissingMembers(RecordFault):
    """Leaves members out, or sends them as null or empty. An empty transmitter id was observed at Dexcom."""

    kind: Literal["missing_members"] = "missing_members"
    members: tuple[Optional, ...] = Field(
        ("status", "trend", "trendRate", "transmitterId", "displayApp", "transmitterGenerationVariant"),
        min_length=1,
    )
    how: Literal["absent", "null", "empty"] = "absent"

    def change(self, dated: DatedRecord, context: FaultContext) -> DatedRecord:
        """Remove or empty all of the members."""
        _ = context
        if self.how == "absent":
            rest = {name: value for name, value in dated.record.items() if name not in self.members}
            return DatedRecord(dated.at_s, rest)
        emptied: dict[str, Any] = dict.fromkeys(self.members, "" if self.how == "empty" else None)
        return dated.with_members(**emptied)


class MmolUnits(RecordFault):
    """Names another unit. The numbers stay in mg/dL unless `convert` is set."""

    kind: Literal["mmol_units"] = "mmol_units"
    unit: Literal["mmol/L", "unknown"] = "mmol/L"
    convert: bool = False

    def change(self, dated: DatedRecord, context: FaultContext) -> DatedRecord:
        """Change the unit and, with `convert`, the value and the rate."""
        _ = context
        renamed = dated.with_members(unit=self.unit, rateUnit=f"{self.unit}/min")
        if not self.convert:
            return renamed
        return renamed.with_members(
            value=_mmol_l(dated, "value", 1), trendRate=_mmol_l(dated, "trendRate", 3)
        )


class ExtraMembers(RecordFault):
    """Adds undocumented members to the records and to the response."""

    kind: Literal["extra_members"] = "extra_members"

    def change(self, dated: DatedRecord, context: FaultContext) -> DatedRecord:
        """Add a string, a null and an object."""
        _ = context
        return dated.with_members(sensorCode="1234", calibratedAt=None, quality={"score": 0.98, "flags": []})

    def envelope(self) -> dict[str, Any]:
        """Add a null beside the records."""
        return {"nextPage": None}


class PluralRecordType(RecordFault):
    """Sets `recordType` to `egvs` instead of `egv`."""

    kind: Literal["plural_record_type"] = "plural_record_type"

    def envelope(self) -> dict[str, Any]:
        """Replace the record type."""
        return {"recordType": "egvs"}


def _mmol_l(dated: DatedRecord, member: str, digits: int) -> float | None:
    number = dated.record.get(member)
    return None if number is None else round(number / _MG_DL_PER_MMOL_L, digits)
