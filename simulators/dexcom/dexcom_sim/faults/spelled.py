"""Faults of how a record is written: unknown words, missing members, other units, odd time strings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from dexcom_sim.faults.changes import Change, Shown, chosen

if TYPE_CHECKING:
    from dexcom_sim.faults.aim import Posted

_MG_DL_PER_MMOL_L = 18.0182
_ENUM = 5

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


class UnknownEnums(Change):
    """Words outside the published lists; the first of each list were seen live or are next of kin."""

    kind: Literal["unknown_enums"] = "unknown_enums"
    members: tuple[Enumerated, ...] = Field(
        ("transmitterGeneration", "transmitterGenerationVariant", "displayDevice", "trend"), min_length=1
    )

    def changed(self, shown: Shown, posted: Posted) -> Shown:
        """One unknown word for each of the members."""
        words = {name: _UNKNOWN[name][chosen(posted, shown.at_s, _ENUM, 3)] for name in self.members}
        return shown.saying(**words)


class MissingMembers(Change):
    """Members that Dexcom leaves out, sends as null, or (the transmitter's id, observed) sends empty."""

    kind: Literal["missing_members"] = "missing_members"
    members: tuple[Optional, ...] = Field(
        ("status", "trend", "trendRate", "transmitterId", "displayApp", "transmitterGenerationVariant"),
        min_length=1,
    )
    how: Literal["absent", "null", "empty"] = "absent"

    def changed(self, shown: Shown, posted: Posted) -> Shown:
        """All of the members, in the one way."""
        _ = posted
        if self.how == "absent":
            rest = {name: value for name, value in shown.record.items() if name not in self.members}
            return Shown(shown.at_s, rest)
        nothing: dict[str, Any] = dict.fromkeys(self.members, "" if self.how == "empty" else None)
        return shown.saying(**nothing)


class MmolUnits(Change):
    """The unit says mmol/L; the numbers stay mg/dL as documented, unless they are to be converted too."""

    kind: Literal["mmol_units"] = "mmol_units"
    unit: Literal["mmol/L", "unknown"] = "mmol/L"
    convert: bool = False

    def changed(self, shown: Shown, posted: Posted) -> Shown:
        """The unit, and if wanted the value and the rate."""
        _ = posted
        said = shown.saying(unit=self.unit, rateUnit=f"{self.unit}/min")
        if not self.convert:
            return said
        return said.saying(value=_mmol_l(shown, "value", 1), trendRate=_mmol_l(shown, "trendRate", 3))


class ExtraMembers(Change):
    """Members nobody has documented, in every record and around them."""

    kind: Literal["extra_members"] = "extra_members"

    def changed(self, shown: Shown, posted: Posted) -> Shown:
        """A plain one, a null and a nested one."""
        _ = posted
        return shown.saying(sensorCode="1234", calibratedAt=None, quality={"score": 0.98, "flags": []})

    def envelope(self) -> dict[str, Any]:
        """And one around the records."""
        return {"nextPage": None}


class PluralRecordType(Change):
    """The answer's `recordType` is `egvs`."""

    kind: Literal["plural_record_type"] = "plural_record_type"

    def envelope(self) -> dict[str, Any]:
        """Only this."""
        return {"recordType": "egvs"}


def _mmol_l(shown: Shown, member: str, digits: int) -> float | None:
    number = shown.record.get(member)
    return None if number is None else round(number / _MG_DL_PER_MMOL_L, digits)
