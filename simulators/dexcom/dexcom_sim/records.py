"""A measurement as the JSON records of Dexcom's API, version 3 and version 2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dexcom_sim.instants import offset_s, written_local, written_utc
from dexcom_sim.noise import digest
from dexcom_sim.sensors import INTERVAL_S, sensor_at, sensor_start_s, transmitter_id
from dexcom_sim.traces import glucose_mg_dl

if TYPE_CHECKING:
    from dexcom_sim.people import Person
    from dexcom_sim.sensors import Measurement

Record = dict[str, Any]

LOWEST_MG_DL, HIGHEST_MG_DL = 40, 400
# A trend looks back two readings; a sensor that has just woken up has none.
_TREND_S = 2 * INTERVAL_S
_RATE_MAX = 8.0
_TRENDS = ((3.0, "doubleUp"), (2.0, "singleUp"), (1.0, "fortyFiveUp"))
_FALLING = {"doubleUp": "doubleDown", "singleUp": "singleDown", "fortyFiveUp": "fortyFiveDown"}


def value_and_status(level_mg_dl: float) -> tuple[int, str | None]:
    """What a sensor reports: whole numbers, 39 for everything below its range and 401 for all above."""
    value = round(level_mg_dl)
    if value < LOWEST_MG_DL:
        return LOWEST_MG_DL - 1, "low"
    if value > HIGHEST_MG_DL:
        return HIGHEST_MG_DL + 1, "high"
    return value, None


def trend_of(rate: float | None) -> str:
    """The arrow for a rate in mg/dL per minute."""
    if rate is None:
        return "notComputable"
    if abs(rate) > _RATE_MAX:
        return "rateOutOfRange"
    for bound, rising in _TRENDS:
        if abs(rate) >= bound:
            return rising if rate > 0 else _FALLING[rising]
    return "flat"


def rate_at(person: Person, at_s: int, level_mg_dl: float) -> float | None:
    """How fast glucose moves, in mg/dL per minute; None while the sensor is too young to tell."""
    worn_s = at_s - sensor_start_s(person, sensor_at(person, at_s))
    if worn_s < person.wears.warm_up_s + _TREND_S:
        return None
    return round((level_mg_dl - glucose_mg_dl(person, at_s - _TREND_S)) * 60 / _TREND_S, 1)


def record_id(client_id: str, *names: object) -> str:
    """A UUID, unique per client application as Dexcom's are."""
    text = digest("record", client_id, *names).hex()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-a{text[17:20]}-{text[20:32]}"


def user_id(client_id: str, person: Person) -> str:
    """Dexcom's name for the person: another one for every client application."""
    return digest("user", client_id, person.seed).hex()


def display_time(person: Person, at_s: int) -> str:
    """What the person's device showed: phones say their offset, receivers only the wall clock."""
    text = written_local(at_s, offset_s(person.zone, at_s))
    return text[:19] if person.phone == "receiver" else text


def record_of(person: Person, client_id: str, measured: Measurement) -> Record:
    """What Dexcom's v3 API says about one measurement."""
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
        "displayDevice": person.phone,
        "transmitterGeneration": person.wears.generation,
        "transmitterGenerationVariant": person.wears.variant,
        "displayApp": None if person.phone == "receiver" else person.wears.app,
    }


def as_v2(record: Record) -> Record:
    """The same reading as the older API tells it: no ids, no zones."""
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
