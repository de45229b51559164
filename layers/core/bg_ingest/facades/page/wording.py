"""Instants, durations and glucose values as a person reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Literal

from bg_ingest.readings.model import MG_DL_PER_MMOL_L, mmol_l

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

GlucoseUnit = Literal["mg/dL", "mmol/L"]

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_SHARE_SHOWN_MIN = 0.1
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Wording:
    """The time zone and the unit of a person, and the time at which the page is made."""

    now: datetime
    zone: tzinfo
    unit: GlucoseUnit

    def clock(self, instant: datetime) -> str:
        """The time of day, with the day if it is not today's."""
        local, today = instant.astimezone(self.zone), self.now.astimezone(self.zone).date()
        time = f"{local:%H:%M}"
        if local.date() == today:
            return time
        if abs(local.date() - today) == _DAY:
            return f"{time} {'tomorrow' if local.date() > today else 'yesterday'}"
        return f"{time} on {self.day(local.date())}"

    def day(self, day: date) -> str:
        """A date in words, with its year if it is not this one."""
        words = f"{day.day} {_MONTHS[day.month - 1]}"
        return words if day.year == self.now.astimezone(self.zone).year else f"{words} {day.year}"

    def weekday(self, day: date) -> str:
        """The day of the week and the date, short."""
        return f"{_WEEKDAYS[day.weekday()][:3]} {day.day} {_MONTHS[day.month - 1][:3]}"

    def ago(self, instant: datetime) -> str:
        """How long ago an instant was."""
        return f"{duration(self.now - instant)} ago" if self.now - instant >= _MINUTE else "just now"

    def glucose(self, mg_dl: float | None) -> str:
        """A value in the person's unit, without the unit."""
        if mg_dl is None:
            return "—"
        if self.unit == "mg/dL":
            return str(int(mg_dl + 0.5))
        shown = mmol_l(mg_dl) if isinstance(mg_dl, int) else mg_dl / MG_DL_PER_MMOL_L
        return f"{shown:.1f}"

    @property
    def zone_name(self) -> str:
        """The name of the zone, and its difference to UTC now."""
        offset = self.now.astimezone(self.zone).utcoffset() or timedelta()
        minutes = int(offset.total_seconds() // 60)
        hours, rest = divmod(abs(minutes), 60)
        sign = "-" if minutes < 0 else "+"
        at_utc = "UTC" if not minutes else f"UTC{sign}{hours}" + (f":{rest:02}" if rest else "")
        key = getattr(self.zone, "key", None)
        return at_utc if key in {None, "UTC"} else f"{key}, {at_utc}"


def offset_zone(minutes: int | None) -> tzinfo:
    """The zone of a sensor's clock; UTC if its offset is unknown or impossible."""
    if minutes is None or abs(minutes) >= 24 * 60:
        return UTC
    return timezone(timedelta(minutes=minutes))


def duration(length: timedelta) -> str:
    """A duration with the one or two units that matter."""
    seconds = max(round(length.total_seconds()), 0)
    if seconds < 90:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 91:
        return f"{minutes} minutes"
    if minutes < 36 * 60:
        hours, rest = divmod(minutes, 60)
        return f"{hours} h {rest} min" if rest else f"{hours} hours"
    return f"{round(minutes / 1440)} days"


def percent(value: float | None) -> str:
    """A share; near both ends it has one decimal, so that 0.4 % is not shown as nothing."""
    if value is None:
        return "—"
    if 0 < value < _SHARE_SHOWN_MIN:
        return f"< {_SHARE_SHOWN_MIN} %"
    if 100 - _SHARE_SHOWN_MIN < value < 100:
        return f"> {100 - _SHARE_SHOWN_MIN} %"
    shown = f"{value:.1f}" if 0 < value < 1 or 99 < value < 100 else f"{value:.0f}"
    return f"{shown} %"


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number and what it counts."""
    return f"{grouped(number)} {one if number == 1 else many or one + 's'}"


def grouped(number: int) -> str:
    """A number with a space that does not break between its thousands."""
    return f"{number:,}".replace(",", "\N{NO-BREAK SPACE}")


def in_words(name: str) -> str:
    """The words of an identifier: `CircuitOpen` and `sync-running` become words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[-_]", " ", name).lower()


def listed(names: Sequence[str]) -> str:
    """Several names as one text."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
