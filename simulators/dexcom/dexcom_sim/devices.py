"""The device record of a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dexcom_sim.instants import written_utc
from dexcom_sim.sensors import sensor_at, transmitter_id

if TYPE_CHECKING:
    from dexcom_sim.people import Person
    from dexcom_sim.records import Record

_EVERY_DAY = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]


def device_of(person: Person, uploaded_last_s: int) -> Record:
    """What Dexcom says about the phone or receiver a person uses."""
    sensor = sensor_at(person, uploaded_last_s)
    transmitter = sensor - sensor % person.wears.sensors_per_transmitter
    return {
        "lastUploadDate": written_utc(uploaded_last_s),
        "transmitterId": transmitter_id(person, transmitter),
        "transmitterGeneration": person.wears.generation,
        "displayDevice": person.phone,
        "displayApp": None if person.phone == "receiver" else person.wears.app,
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
    "daysOfWeek": _EVERY_DAY,
}


def _alert(name: str, value: int) -> dict[str, Any]:
    return {"alertName": name, "value": value, "unit": "mg/dL", "snooze": 30, "enabled": True}
