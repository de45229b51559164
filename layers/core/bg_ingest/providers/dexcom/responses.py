"""
Dexcom's responses and records as typed values.

Rule 1: If the envelope differs from the documentation, then the whole response is rejected with
        ContractBroken.
Rule 2: If a record has an instant and a value, then it is a reading. The status "low" or "high" is a value
        too (glucose, rule 5). Any other member that is missing, null or not readable becomes None.
Rule 3: Enumerations are open: an unknown string is kept as it is. Example: the trend "tripleUp".
Rule 4: If a record is not a reading, then it is rejected with a reason, and the other records are kept.
Rule 5: No JSON value of a record raises an exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bg_ingest.providers.dexcom.glucose import Implausible, in_mmol_l, mg_dl_of, rate_of, status_of
from bg_ingest.providers.dexcom.times import instant_of, local_offset_minutes
from bg_ingest.providers.errors import ContractBroken
from bg_ingest.providers.json_values import number_of, pseudonym, text_of
from bg_ingest.providers.seam import Fetched, Rejected, Span
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
