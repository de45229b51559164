"""
Dexcom's responses, records, times and values as typed values.

Rule 1: If the envelope differs from the documentation, then the whole response is rejected with
        ContractBroken.
Rule 2: If a record has an instant and a value, then it is a reading. The status "low" or "high" is a value
        too (rule 14). Any other member that is missing, null or not readable becomes None.
Rule 3: Enumerations are open: an unknown string is kept as it is. Example: the trend "tripleUp".
Rule 4: If a record is not a reading, then it is rejected with a reason, and the other records are kept.
Rule 5: No JSON value of a record raises an exception.
"""

# Times:
#
# Rule 6: Seconds, fractions and the zone are each optional.
# Rule 7: If the string has an offset, then it is rounded to the minute. Phones whose clock is a second off
#         send -06:59:59 instead of -07:00.
# Rule 8: systemTime is the instant. displayTime is the wall clock of the device, and its zone is ignored:
#
#     displayTime  2026-02-06T01:12:35-08:00     wall clock  01:12:35
#     systemTime   2026-02-06T09:12:35Z          UTC         09:12:35
#                                                            --------
#                                                 offset       -8:00   to 15 minutes; the rest is clock drift
#
# Rule 9: If a string cannot be parsed, then the result is None. No string raises an exception.
#
# Values, in whole mg/dL:
#
# Rule 10: Dexcom documents values in mg/dL only, and the units "mg/dL", "mmol/L" and "unknown".
# Rule 11: If the unit is mmol/L and the value is at most 33.3, then the value is converted.
#          Example: 5.5 mmol/L becomes 99 mg/dL.
#          Otherwise the value is in mg/dL. Example: 120 "mmol/L" stays 120, because Dexcom has mislabelled
#          it. No value can be both: 33.3 mmol/L is 600 mg/dL, more than a sensor reports, and a sensor
#          reports no mg/dL below 39.
# Rule 12: If the rate's unit is mmol/L and the value beside it was converted, then the rate is converted.
# Rule 13: If no sensor can have measured the value, then it is rejected. It is never corrected.
# Rule 14: If there is no value, and the status says "low" or "high", then the value is its code: 39 or 401.
#
#     mg/dL   0    13        39                          401               1000
#             |----|---------|x=========================x|-----------------|-----
#     rejected^        below: "low"                       above: "high"       rejected

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from bg_ingest.providers.errors import ContractBroken
from bg_ingest.providers.seam import Fetched, Rejected, Span, number_of, pseudonym, text_of
from bg_ingest.readings.model import MG_DL_PER_MMOL_L, Device, Reading

if TYPE_CHECKING:
    from bg_ingest.readings.model import Status


_TIME_FORMAT = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})[Tt ](?P<minute>\d{2}:\d{2})(?P<second>:\d{2})?([.,]\d{1,9})?\s?"
    r"(?P<zone>[Zz]|(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})(:?(?P<seconds>\d{2})(\.\d{1,9})?)?)?",
    re.ASCII,
)
_HALF_MINUTE_S = 30
_QUARTER_MINUTES = 15
# The smallest and the largest offset in use: Baker Island and Kiritimati.
_OFFSET_MINUTES_MIN, _OFFSET_MINUTES_MAX = -12 * 60, 14 * 60


def instant_of(text: object) -> datetime | None:
    """The instant, in UTC and whole seconds; a string without a zone is in UTC."""
    match = _TIME_FORMAT.fullmatch(text) if isinstance(text, str) else None
    wall = _wall_clock(match) if match else None
    if match is None or wall is None:
        return None
    try:
        return (wall - _offset(match)).replace(tzinfo=UTC)
    except OverflowError:  # The offset leads beyond year 1 or year 9999.
        return None


def local_offset_minutes(system: datetime, display: object) -> int | None:
    """How far displayTime is ahead of UTC; None if no place on earth has such an offset."""
    match = _TIME_FORMAT.fullmatch(display) if isinstance(display, str) else None
    wall = _wall_clock(match) if match else None
    if wall is None:
        return None
    ahead_s = (wall - system.replace(tzinfo=None)).total_seconds()
    quarter_s = _QUARTER_MINUTES * 60
    minutes = int((ahead_s + quarter_s / 2) // quarter_s) * _QUARTER_MINUTES
    return minutes if _OFFSET_MINUTES_MIN <= minutes <= _OFFSET_MINUTES_MAX else None


def _wall_clock(match: re.Match[str]) -> datetime | None:
    text = f"{match['date']}T{match['minute']}{match['second'] or ':00'}"
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # Such as February 30.
        return None


def _offset(match: re.Match[str]) -> timedelta:
    if not match["sign"]:
        return timedelta(0)
    exact_s = int(match["hours"]) * 3600 + int(match["minutes"]) * 60 + int(match["seconds"] or 0)
    minutes = (exact_s + _HALF_MINUTE_S) // 60
    return timedelta(minutes=-minutes if match["sign"] == "-" else minutes)


LOW, HIGH = 39, 401  # Dexcom's codes for "below 40" and "above 400".
# Values up to 12 are error codes of the sensor, in all generations of Dexcom's devices.
MG_DL_MIN = 13
# Well above what a sensor reports, so that no valid value is rejected.
MG_DL_MAX = 1000
_MMOL_L_MAX = 33.3


class Implausible(StrEnum):
    """Why a value is rejected."""

    MISSING = "value-missing"
    NOT_A_NUMBER = "value-not-a-number"
    OUT_OF_RANGE = "value-out-of-range"


def mg_dl_of(value: object, unit: object, status: object = None) -> int | Implausible:
    """The value in mg/dL, rounded half up, or why it is rejected."""
    if value is None:
        return _code_of(status)
    number = number_of(value)
    if number is None:
        return Implausible.NOT_A_NUMBER
    if in_mmol_l(value, unit):
        number *= MG_DL_PER_MMOL_L
    if not MG_DL_MIN - 0.5 <= number < MG_DL_MAX + 0.5:
        return Implausible.OUT_OF_RANGE
    return math.floor(number + 0.5)


def in_mmol_l(value: object, unit: object) -> bool:
    """Whether a value is in mmol/L (rule 11)."""
    number = number_of(value)
    return number is not None and number <= _MMOL_L_MAX and _says_mmol(unit)


def rate_of(rate: object, unit: object) -> float | None:
    """A trend rate in mg/dL per minute; None if it is not a number."""
    number = number_of(rate)
    if number is None:
        return None
    mg_dl_min = round(number * MG_DL_PER_MMOL_L, 3) if _says_mmol(unit) else number
    return mg_dl_min + 0.0  # Turns -0.0 into 0.0.


def status_of(mg_dl: int, status: object) -> Status | None:
    """Whether the value is below or above the sensor's range; the codes 39 and 401 override `status`."""
    if mg_dl == LOW:
        return "low"
    if mg_dl == HIGH:
        return "high"
    if status == "low":
        return "low"
    return "high" if status == "high" else None


def _code_of(status: object) -> int | Implausible:
    if status == "low":
        return LOW
    return HIGH if status == "high" else Implausible.MISSING


def _says_mmol(unit: object) -> bool:
    return isinstance(unit, str) and unit.strip().lower().startswith("mmol")


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


@dataclass(frozen=True, slots=True)
class DataRange:
    """The spans of the three kinds of records; None for a kind without records."""

    egvs: Span | None = None
    calibrations: Span | None = None
    events: Span | None = None


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device that uploads for an account."""

    device: Device
    last_upload_at: datetime | None


def parse_egvs(document: dict[str, Any], now: datetime) -> Fetched:
    """The readings of a response of API version 3 (`records`) or 2 (`egvs`)."""
    units = Units(document.get("unit"), document.get("rateUnit"))
    records = _list_in(document, "egvs" if "egvs" in document else "records")
    parsed = [parse_reading(record, now, units) for record in records]
    return Fetched(
        readings=tuple(one for one in parsed if not isinstance(one, Rejected)),
        rejected=tuple(one for one in parsed if isinstance(one, Rejected)),
        account_id_hash=pseudonym("dexcom/account", document.get("userId")),
    )


def parse_data_range(document: dict[str, Any]) -> DataRange:
    """The spans of a dataRange response."""
    return DataRange(
        egvs=_span(document.get("egvs")),
        calibrations=_span(document.get("calibrations")),
        events=_span(document.get("events")),
    )


def parse_devices(document: dict[str, Any]) -> tuple[KnownDevice, ...]:
    """The devices of a response of API version 3."""
    records = _list_in(document, "records")
    return tuple(
        KnownDevice(device_of(record), instant_of(record.get("lastUploadDate")))
        for record in records
        if isinstance(record, dict)
    )


def _list_in(document: dict[str, Any], member: str) -> list[Any]:
    if member not in document:
        raise ContractBroken(f"the response has no member {member}")
    records = document[member]
    if records is None:  # An empty list is sometimes null.
        return []
    if not isinstance(records, list):
        raise ContractBroken(f"the member {member} is not a list")
    return records


def _span(value: object) -> Span | None:
    match value:
        case None | {"start": None, "end": None}:
            return None
    start, end = _moment(value, "start"), _moment(value, "end")
    if start is None or end is None:
        raise ContractBroken("a data range has no readable start or no readable end")
    return Span(start, end)


def _moment(span: object, member: str) -> datetime | None:
    moment = span.get(member) if isinstance(span, dict) else None
    return instant_of(moment.get("systemTime")) if isinstance(moment, dict) else None
