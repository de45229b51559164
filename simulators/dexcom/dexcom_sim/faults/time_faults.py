"""Faults that change the time strings of records: other formats, and daylight saving time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dexcom_sim.faults.record_faults import RecordFault, stable_choice
from dexcom_sim.timestamps import offset_s, written_local, written_utc

if TYPE_CHECKING:
    from dexcom_sim.faults.targeting import FaultContext
    from dexcom_sim.people.records import DatedRecord

SystemForm = Literal["z", "milliseconds", "no_zone", "no_seconds", "zero_offset"]
DisplayForm = Literal["offset", "milliseconds", "no_zone", "offset_with_seconds"]
_SYSTEM: tuple[SystemForm, ...] = ("z", "milliseconds", "no_zone", "no_seconds", "zero_offset")
_DISPLAY: tuple[DisplayForm, ...] = ("offset", "milliseconds", "no_zone", "offset_with_seconds")
_SYSTEM_SALT, _DISPLAY_SALT = 6, 7
_BARE = len("2026-02-06T09:12:35")


class TimeStrings(RecordFault):
    """Writes the times in another format. `any` selects a format for every record."""

    kind: Literal["time_strings"] = "time_strings"
    system: SystemForm | Literal["any"] | None = None
    display: DisplayForm | Literal["any"] | None = None

    def change(self, dated: DatedRecord, context: FaultContext) -> DatedRecord:
        """Change `systemTime`, `displayTime` or both."""
        if self.system is not None:
            random_form = _SYSTEM[stable_choice(context, dated.at_s, _SYSTEM_SALT, len(_SYSTEM))]
            dated = dated.with_members(
                systemTime=system_time(random_form if self.system == "any" else self.system, dated.at_s)
            )
        if self.display is not None:
            form = _DISPLAY[stable_choice(context, dated.at_s, _DISPLAY_SALT, len(_DISPLAY))]
            form = form if self.display == "any" else self.display
            dated = dated.with_members(
                displayTime=local_time(form, dated.at_s, _zone_offset_s(context, dated.at_s))
            )
        return dated


class DstChange(RecordFault):
    """Shifts the local time from the start of the fault on, like a change of daylight saving time."""

    kind: Literal["dst_change"] = "dst_change"
    shift_minutes: int = Field(60, ge=-26 * 60, le=26 * 60)

    def since_s(self, context: FaultContext) -> float:
        """`since`, or the start of the fault: earlier local times stay as they are."""
        return super().since_s(context) if self.since else context.at_s

    def change(self, dated: DatedRecord, context: FaultContext) -> DatedRecord:
        """Shift `displayTime`. The instant stays the same."""
        shifted_s = _zone_offset_s(context, dated.at_s) + self.shift_minutes * 60
        text = written_local(dated.at_s, shifted_s)
        return dated.with_members(
            displayTime=text if len(dated.record["displayTime"]) > _BARE else text[:_BARE]
        )


def system_time(form: SystemForm, at_s: int) -> str:
    """A `systemTime` in this format. Without seconds it is the start of its minute."""
    bare = written_utc(at_s)[:_BARE]
    forms: dict[SystemForm, str] = {
        "z": f"{bare}Z",
        "milliseconds": f"{bare}.438Z",
        "no_zone": bare,
        "no_seconds": f"{bare[:-3]}Z",
        "zero_offset": f"{bare}+00:00",
    }
    return forms[form]


def local_time(form: DisplayForm, at_s: int, zone_offset_s: int) -> str:
    """A `displayTime` in this format. `offset_with_seconds` has an offset that is one second wrong."""
    if form == "offset_with_seconds":
        return written_local(at_s, zone_offset_s + 1)
    text = written_local(at_s, zone_offset_s)
    if form == "milliseconds":
        return f"{text[:_BARE]}.438{text[_BARE:]}"
    return text[:_BARE] if form == "no_zone" else text


def _zone_offset_s(context: FaultContext, at_s: int) -> int:
    assert context.person is not None  # noqa: S101 - a response with records always has a user.
    return offset_s(context.person.zone, at_s)
