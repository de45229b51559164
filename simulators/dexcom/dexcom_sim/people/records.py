"""JSON records of Dexcom's API: readings in version 3 and version 2, and the device record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dexcom_sim.keyed_random import digest
from dexcom_sim.people.glucose import glucose_mg_dl
from dexcom_sim.people.sensors import INTERVAL_S, sensor_at, sensor_start_s, transmitter_id
from dexcom_sim.timestamps import offset_s, written_local, written_utc

if TYPE_CHECKING:
    from dexcom_sim.people.population import SimulatedPerson
    from dexcom_sim.people.sensors import Measurement

Record = dict[str, Any]

LOWEST_MG_DL, HIGHEST_MG_DL = 40, 400
# A trend compares with the level two readings earlier, so the first readings of a sensor have none.
_TREND_S = 2 * INTERVAL_S
_RATE_MAX = 8.0
_TRENDS = ((3.0, "doubleUp"), (2.0, "singleUp"), (1.0, "fortyFiveUp"))
_FALLING = {"doubleUp": "doubleDown", "singleUp": "singleDown", "fortyFiveUp": "fortyFiveDown"}


@dataclass(frozen=True, slots=True)
class DatedRecord:
    """A record and its time in seconds. A fault may change the time strings; `at_s` stays readable."""

    at_s: int
    record: Record

    def with_members(self, **members: Any) -> DatedRecord:
        """The same record with these members added or replaced."""
        return replace(self, record={**self.record, **members})


def value_and_status(level_mg_dl: float) -> tuple[int, str | None]:
    """The whole number a sensor reports: 39 for all levels below 40, 401 for all levels above 400."""
    value = round(level_mg_dl)
    if value < LOWEST_MG_DL:
        return LOWEST_MG_DL - 1, "low"
    if value > HIGHEST_MG_DL:
        return HIGHEST_MG_DL + 1, "high"
    return value, None


def trend_of(rate: float | None) -> str:
    """The trend arrow for a rate in mg/dL per minute."""
    if rate is None:
        return "notComputable"
    if abs(rate) > _RATE_MAX:
        return "rateOutOfRange"
    for bound, rising in _TRENDS:
        if abs(rate) >= bound:
            return rising if rate > 0 else _FALLING[rising]
    return "flat"


def rate_at(person: SimulatedPerson, at_s: int, level_mg_dl: float) -> float | None:
    """The rate of change in mg/dL per minute; None for the first readings of a sensor."""
    worn_s = at_s - sensor_start_s(person, sensor_at(person, at_s))
    if worn_s < person.sensor_model.warm_up_s + _TREND_S:
        return None
    return round((level_mg_dl - glucose_mg_dl(person, at_s - _TREND_S)) * 60 / _TREND_S, 1)


def record_id(client_id: str, *names: object) -> str:
    """A UUID that differs between client applications, as at Dexcom."""
    text = digest("record", client_id, *names).hex()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-a{text[17:20]}-{text[20:32]}"


def user_id(client_id: str, person: SimulatedPerson) -> str:
    """Dexcom's id of the user. It differs between client applications."""
    return digest("user", client_id, person.seed).hex()


def display_time(person: SimulatedPerson, at_s: int) -> str:
    """The local time on the device: with its UTC offset on a phone, without it on a receiver."""
    text = written_local(at_s, offset_s(person.zone, at_s))
    return text[:19] if person.device == "receiver" else text


def record_of(person: SimulatedPerson, client_id: str, measured: Measurement) -> Record:
    """The version 3 record of one measurement."""
    return _record_of(person, client_id, measured).copy()


# A window is read again by each poll that overlaps it. A record takes 30 us of CPU, and a kilobyte here.
@lru_cache(maxsize=32_768)
def _record_of(person: SimulatedPerson, client_id: str, measured: Measurement) -> Record:
    level_mg_dl = glucose_mg_dl(person, measured.at_s)
    value, status = value_and_status(level_mg_dl)
    rate = rate_at(person, measured.at_s, level_mg_dl)
    trend = trend_of(rate)
    return {
        "recordId": record_id(client_id, person.seed, measured.at_s),
        "systemTime": written_utc(measured.at_s),
        "displayTime": display_time(person, measured.at_s),
        "transmitterId": transmitter_id(person, measured.transmitter),
        "transmitterTicks": measured.ticks,
        "value": value,
        "status": status,
        "trend": trend,
        "trendRate": None if trend == "rateOutOfRange" else rate,
        "unit": "mg/dL",
        "rateUnit": "mg/dL/min",
        "displayDevice": person.device,
        "transmitterGeneration": person.sensor_model.generation,
        "transmitterGenerationVariant": person.sensor_model.variant,
        "displayApp": None if person.device == "receiver" else person.sensor_model.app,
    }


def as_v2(record: Record) -> Record:
    """The version 2 record of the same reading: no ids, and times without a zone."""
    value = record.get("value")
    return {
        "systemTime": record["systemTime"][:19],
        "displayTime": record["displayTime"][:19],
        "value": value,
        "realtimeValue": value,
        "smoothedValue": None,
        "status": record.get("status"),
        "trend": record.get("trend"),
        "trendRate": record.get("trendRate"),
    }


def device_record(person: SimulatedPerson, last_upload_s: int) -> Record:
    """The record of the phone or receiver that the user uploads with."""
    sensor = sensor_at(person, last_upload_s)
    transmitter = sensor - sensor % person.sensor_model.sensors_per_transmitter
    return {
        "lastUploadDate": written_utc(last_upload_s),
        "transmitterId": transmitter_id(person, transmitter),
        "transmitterGeneration": person.sensor_model.generation,
        "displayDevice": person.device,
        "displayApp": None if person.device == "receiver" else person.sensor_model.app,
        "alertSchedules": [
            {"alertScheduleSettings": _SCHEDULE, "alertSettings": [_alert("low", 70), _alert("high", 200)]}
        ],
    }


_SCHEDULE = {
    "alertScheduleName": "Default Schedule",
    "isEnabled": True,
    "isDefaultSchedule": True,
    "startTime": "00:00",
    "endTime": "00:00",
    "daysOfWeek": ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"],
}


def _alert(name: str, value: int) -> dict[str, Any]:
    return {"alertName": name, "value": value, "unit": "mg/dL", "snooze": 30, "enabled": True}
