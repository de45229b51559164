# Conversion of one JSON record to a reading.
#
# Rule 1: If a record has an instant and a value, then it is a reading. The status "low" or "high" is a value
#         too (glucose, rule 5). Any other member that is missing, null or not readable becomes None.
# Rule 2: Enumerations are open: an unknown string is kept as it is. Example: the trend "tripleUp".
# Rule 3: If a record is not a reading, then it is rejected with a reason, and the other records are kept.
# Rule 4: No JSON value raises an exception.
"""Readings from Dexcom's JSON records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bg_ingest.providers.dexcom.glucose import Implausible, in_mmol_l, mg_dl_of, rate_of, status_of
from bg_ingest.providers.dexcom.times import instant_of, local_offset_minutes
from bg_ingest.providers.json_values import number_of, pseudonym, text_of
from bg_ingest.providers.seam import Rejected
from bg_ingest.readings.model import Device, Reading

# Dexcom has no older data. A device that was reset shows 2008 or 2009.
_OLDEST = datetime(2010, 1, 1, tzinfo=UTC)
# Device clocks run ahead by minutes. A wrong date is wrong by years, and would be the latest reading.
_AHEAD_MAX = timedelta(days=1)
_TICKS_MAX = 2**53  # Seconds; beyond it a float is no longer exact.

NOT_A_RECORD = "not-a-record"
TIME_MISSING = "system-time-missing"
TIME_UNREADABLE = "system-time-unreadable"
TIME_ABSURD = "system-time-absurd"


@dataclass(frozen=True, slots=True)
class Units:
    """The units of an envelope, for records without units. API version 2 states them in the envelope."""

    value: object = None
    rate: object = None


def parse_reading(record: object, now: datetime, units: Units | None = None) -> Reading | Rejected:
    """The reading in a record, or the rejected record with its reason."""
    if not isinstance(record, dict):
        return Rejected(NOT_A_RECORD, record)
    at = _at(record.get("systemTime"), now)
    if isinstance(at, str):
        return Rejected(at, record)
    units = units or Units()
    value, unit = record.get("value"), record.get("unit", units.value)
    mg_dl = mg_dl_of(value, unit, record.get("status"))
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
    """The device in a record, with a pseudonym for its transmitter."""
    return Device(
        generation=text_of(record.get("transmitterGeneration")),
        display=text_of(record.get("displayDevice")),
        app=text_of(record.get("displayApp")),
        transmitter=pseudonym("dexcom/transmitter", record.get("transmitterId")),
    )


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
