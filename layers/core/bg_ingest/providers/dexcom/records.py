# Dexcom's records as our readings.
#
# Rule 1: an instant and a value make a reading. Whatever else is missing, null or odd is None, no reason.
# Rule 2: enumerations are open. A string nobody has heard of is kept as it came.
# Rule 3: a record that is no reading costs nothing but itself: it comes back with a reason.
# Rule 4: no JSON whatsoever makes anything here raise.
"""One JSON record of Dexcom's: a reading, or why not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bg_ingest.providers.dexcom.glucose import Implausible, in_mmol_l, mg_dl_of, number_of, rate_of, status_of
from bg_ingest.providers.dexcom.times import instant_of, local_offset_minutes
from bg_ingest.providers.pseudonym import pseudonym
from bg_ingest.providers.seam import Rejected
from bg_ingest.readings.model import Device, Reading

# Dexcom's cloud has nothing older; a device that was reset starts in 2008 or 2009.
_OLDEST = datetime(2010, 1, 1, tzinfo=UTC)
# Device clocks run ahead, by minutes. A date is wrong by years, and as "the latest" would hide all others.
_AHEAD_MAX = timedelta(days=1)
# Longer than any enumeration or id; what is stored has a limit.
_TEXT_MAX = 100
_TICKS_MAX = 2**53  # Seconds; beyond it a float is no longer exact.

NOT_A_RECORD = "not-a-record"
TIME_MISSING = "system-time-missing"
TIME_UNREADABLE = "system-time-unreadable"
TIME_ABSURD = "system-time-absurd"


@dataclass(frozen=True, slots=True)
class Units:
    """What the envelope says where a record does not; version 2 states units once for all."""

    value: object = None
    rate: object = None


def parse_reading(record: object, now: datetime, units: Units | None = None) -> Reading | Rejected:
    """The reading a record is, or why it is none."""
    if not isinstance(record, dict):
        return Rejected(NOT_A_RECORD, record)
    at = _at(record.get("systemTime"), now)
    if isinstance(at, str):
        return Rejected(at, record)
    units = units or Units()
    value, unit = record.get("value"), record.get("unit", units.value)
    mg_dl = mg_dl_of(value, unit)
    if isinstance(mg_dl, Implausible):
        return Rejected(mg_dl.value, record)
    rate_unit = record.get("rateUnit", units.rate) if in_mmol_l(value, unit) else None
    return Reading(
        at=at,
        mg_dl=mg_dl,
        trend=text_of(record.get("trend")),
        trend_rate=rate_of(record.get("trendRate"), rate_unit),
        status=status_of(mg_dl, record.get("status")),
        record_id=text_of(record.get("recordId")),
        local_offset_minutes=local_offset_minutes(at, record.get("displayTime")),
        transmitter_ticks=_ticks(record.get("transmitterTicks")),
        device=device_of(record),
    )


def device_of(record: dict[str, Any]) -> Device:
    """The device a record names, its transmitter under another name."""
    return Device(
        generation=text_of(record.get("transmitterGeneration")),
        display=text_of(record.get("displayDevice")),
        app=text_of(record.get("displayApp")),
        transmitter=pseudonym("transmitter", record.get("transmitterId")),
    )


def text_of(value: object) -> str | None:
    """A string as it came, if it is one; an empty one says nothing, and a lone surrogate cannot be stored."""
    if not isinstance(value, str) or not value:
        return None
    return value[:_TEXT_MAX].encode(errors="replace").decode()


def _at(system_time: object, now: datetime) -> datetime | str:
    if system_time is None or system_time == "":
        return TIME_MISSING
    at = instant_of(system_time)
    if at is None:
        return TIME_UNREADABLE
    return at if _OLDEST <= at <= now + _AHEAD_MAX else TIME_ABSURD


def _ticks(value: object) -> int | None:
    number = number_of(value)
    if number is None or not 0 <= number <= _TICKS_MAX or not number.is_integer():
        return None
    return int(number)
