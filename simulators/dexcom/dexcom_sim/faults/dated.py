"""Faults of the time strings: every form that occurs, and clocks that change between summer and winter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dexcom_sim.faults.changes import Change, Shown, chosen
from dexcom_sim.instants import offset_s, written_local, written_utc

if TYPE_CHECKING:
    from dexcom_sim.faults.aim import Posted

SystemForm = Literal["z", "milliseconds", "no_zone", "no_seconds", "zero_offset"]
DisplayForm = Literal["offset", "milliseconds", "no_zone", "offset_with_seconds"]
_SYSTEM: tuple[SystemForm, ...] = ("z", "milliseconds", "no_zone", "no_seconds", "zero_offset")
_DISPLAY: tuple[DisplayForm, ...] = ("offset", "milliseconds", "no_zone", "offset_with_seconds")
_SYSTEM_SALT, _DISPLAY_SALT = 6, 7
_BARE = len("2026-02-06T09:12:35")


class TimeStrings(Change):
    """Times in another form than usual; `any` draws a form for every record."""

    kind: Literal["time_strings"] = "time_strings"
    system: SystemForm | Literal["any"] | None = None
    display: DisplayForm | Literal["any"] | None = None

    def changed(self, shown: Shown, posted: Posted) -> Shown:
        """Whichever of the two was asked for."""
        if self.system is not None:
            drawn = _SYSTEM[chosen(posted, shown.at_s, _SYSTEM_SALT, len(_SYSTEM))]
            shown = shown.saying(
                systemTime=system_time(drawn if self.system == "any" else self.system, shown.at_s)
            )
        if self.display is not None:
            form = _DISPLAY[chosen(posted, shown.at_s, _DISPLAY_SALT, len(_DISPLAY))]
            form = form if self.display == "any" else self.display
            shown = shown.saying(displayTime=local_time(form, shown.at_s, _zone_offset_s(posted, shown.at_s)))
        return shown


class DstChange(Change):
    """From now on the person's wall clock is moved, as at the end or the start of summer time."""

    kind: Literal["dst_change"] = "dst_change"
    shift_minutes: int = Field(60, ge=-26 * 60, le=26 * 60)

    def since_s(self, posted: Posted) -> float:
        """What was displayed before stays as it was."""
        return super().since_s(posted) if self.since else posted.at_s

    def changed(self, shown: Shown, posted: Posted) -> Shown:
        """Only the displayed time; the instant is the same."""
        moved_s = _zone_offset_s(posted, shown.at_s) + self.shift_minutes * 60
        text = written_local(shown.at_s, moved_s)
        return shown.saying(displayTime=text if len(shown.record["displayTime"]) > _BARE else text[:_BARE])


def system_time(form: SystemForm, at_s: int) -> str:
    """An instant in UTC; without its seconds, it is the start of its minute."""
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
    """A wall clock; its offset may be a second off, which nobody means."""
    if form == "offset_with_seconds":
        return written_local(at_s, zone_offset_s + 1)
    text = written_local(at_s, zone_offset_s)
    if form == "milliseconds":
        return f"{text[:_BARE]}.438{text[_BARE:]}"
    return text[:_BARE] if form == "no_zone" else text


def _zone_offset_s(posted: Posted, at_s: int) -> int:
    assert posted.person is not None  # noqa: S101 - records always belong to someone.
    return offset_s(posted.person.zone, at_s)
