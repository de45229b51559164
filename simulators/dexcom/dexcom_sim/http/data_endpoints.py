"""Dexcom's data endpoints: version 3, and the older egvs of version 2."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from dexcom_sim.http.dependencies import (
    DatesDependency,
    RecordFaultsDependency,
    SimulatorDependency,
    TokenOwner,
)
from dexcom_sim.http.errors import invalid_parameter
from dexcom_sim.people.glucose import DAY_S
from dexcom_sim.people.population import SimulatedPerson
from dexcom_sim.people.records import as_v2, device_record, display_time, user_id
from dexcom_sim.simulator import SimulatedDexcom
from dexcom_sim.timestamps import parse_with_zone, written_utc

DAYS_MAX = 30
DAYS_MAX_V2 = 90
# For an older lastSyncTime Dexcom's answers are wrong (observed). The simulator then reports no new data.
_SYNC_TIME_AGE_S_MAX = 30 * DAY_S

router = APIRouter()


@router.get("/v3/users/self/egvs")
def egvs(
    simulator: SimulatorDependency, person: TokenOwner, dates: DatesDependency, faults: RecordFaultsDependency
) -> JSONResponse:
    """The glucose values of a window, newest first."""
    window = dates.window(DAYS_MAX)
    records = simulator.records(person, window.from_s, window.to_s, faults)
    added = {name: value for fault, _ in faults for name, value in fault.envelope().items()}
    return JSONResponse({**_envelope(simulator, person, "egv"), **added, "records": records})


@router.get("/v2/users/self/egvs")
def egvs_v2(
    simulator: SimulatorDependency, person: TokenOwner, dates: DatesDependency, faults: RecordFaultsDependency
) -> JSONResponse:
    """The glucose values of a window, newest first, without ids and time zones."""
    window = dates.window(DAYS_MAX_V2)
    records = simulator.records(person, window.from_s, window.to_s, faults)
    return JSONResponse(
        {"unit": "mg/dL", "rateUnit": "mg/dL/min", "egvs": [as_v2(record) for record in records]}
    )


@router.get("/v3/users/self/dataRange")
def data_range(
    simulator: SimulatorDependency,
    person: TokenOwner,
    last_sync_time: Annotated[str | None, Query(alias="lastSyncTime")] = None,
) -> JSONResponse:
    """The first and last reading, optionally only of the readings uploaded after `lastSyncTime`."""
    no_data: dict[str, Any] = {"calibrations": None, "egvs": None, "events": None}
    body = {**_envelope(simulator, person, "dataRange"), **no_data}
    uploaded_after_s = None if last_sync_time is None else parse_with_zone(last_sync_time)
    if last_sync_time is not None and uploaded_after_s is None:
        raise invalid_parameter(
            "lastSyncTime", "must be a date and time with a zone, like 2026-02-06T09:12:35Z"
        )
    if uploaded_after_s is not None and simulator.now_s() - uploaded_after_s > _SYNC_TIME_AGE_S_MAX:
        return JSONResponse(body)
    span = simulator.data_span(person, uploaded_after_s)
    if span is not None:
        body["egvs"] = {"start": _moment(person, span.first_s), "end": _moment(person, span.last_s)}
    return JSONResponse(body)


@router.get("/v3/users/self/devices")
def devices(simulator: SimulatorDependency, person: TokenOwner) -> JSONResponse:
    """The device that this user uploads with."""
    span = simulator.data_span(person)
    records = [] if span is None else [device_record(person, span.last_s)]
    return JSONResponse({**_envelope(simulator, person, "device"), "records": records})


@router.get("/v3/users/self/events")
@router.get("/v3/users/self/calibrations")
@router.get("/v3/users/self/alerts")
def other_records(
    request: Request, simulator: SimulatorDependency, person: TokenOwner, dates: DatesDependency
) -> JSONResponse:
    """An empty list: the simulated users have no events, calibrations or alerts."""
    dates.window(DAYS_MAX)
    record_type = request.url.path.rpartition("/")[2].removesuffix("s")
    return JSONResponse({**_envelope(simulator, person, record_type), "records": []})


def _envelope(simulator: SimulatedDexcom, person: SimulatedPerson, record_type: str) -> dict[str, Any]:
    return {
        "recordType": record_type,
        "recordVersion": "3.0",
        "userId": user_id(simulator.application.client_id, person),
    }


def _moment(person: SimulatedPerson, at_s: int) -> dict[str, str]:
    return {"systemTime": written_utc(at_s), "displayTime": display_time(person, at_s)}
