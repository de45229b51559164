"""Dexcom's data endpoints, version 3."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from dexcom_sim.asked import AskedChanges, AskedDates, Reader, WorldOf
from dexcom_sim.devices import device_of
from dexcom_sim.instants import parse_with_zone, written_utc
from dexcom_sim.people import Person
from dexcom_sim.records import display_time, user_id
from dexcom_sim.refusals import bad_parameter
from dexcom_sim.traces import DAY_S
from dexcom_sim.world import World

DAYS_MAX = 30
# Dexcom's answers to an older lastSyncTime are wrong (observed); ours then deny that anything is new.
_SYNC_TIME_WORKS_S = 30 * DAY_S

router = APIRouter(prefix="/v3/users/self")


@router.get("/egvs")
def egvs(world: WorldOf, person: Reader, dates: AskedDates, changes: AskedChanges) -> JSONResponse:
    """The glucose values of a window, newest first."""
    window = dates.window(DAYS_MAX)
    records = world.egvs(person, window.from_s, window.to_s, changes)
    around = {name: value for change, _ in changes for name, value in change.envelope().items()}
    return JSONResponse({**_envelope(world, person, "egv"), **around, "records": records})


@router.get("/dataRange")
def data_range(
    world: WorldOf, person: Reader, last_sync_time: Annotated[str | None, Query(alias="lastSyncTime")] = None
) -> JSONResponse:
    """From when to when there is data, of all that was uploaded after `lastSyncTime`."""
    nothing: dict[str, Any] = {"calibrations": None, "egvs": None, "events": None}
    answer = {**_envelope(world, person, "dataRange"), **nothing}
    uploaded_after_s = None if last_sync_time is None else parse_with_zone(last_sync_time)
    if last_sync_time is not None and uploaded_after_s is None:
        raise bad_parameter("lastSyncTime", "must be a date and time with a zone, like 2026-02-06T09:12:35Z")
    if uploaded_after_s is not None and world.now_s() - uploaded_after_s > _SYNC_TIME_WORKS_S:
        return JSONResponse(answer)
    span = world.span(person, uploaded_after_s)
    if span is not None:
        answer["egvs"] = {"start": _moment(person, span.first_s), "end": _moment(person, span.last_s)}
    return JSONResponse(answer)


@router.get("/devices")
def devices(world: WorldOf, person: Reader) -> JSONResponse:
    """The one device this person uploads with."""
    span = world.span(person)
    records = [] if span is None else [device_of(person, span.last_s)]
    return JSONResponse({**_envelope(world, person, "device"), "records": records})


@router.get("/events")
@router.get("/calibrations")
@router.get("/alerts")
def nothing_yet(request: Request, world: WorldOf, person: Reader, dates: AskedDates) -> JSONResponse:
    """These people log no meals, calibrate nothing and keep their alerts to themselves."""
    dates.window(DAYS_MAX)
    record_type = request.url.path.rpartition("/")[2].removesuffix("s")
    return JSONResponse({**_envelope(world, person, record_type), "records": []})


def _envelope(world: World, person: Person, record_type: str) -> dict[str, Any]:
    return {
        "recordType": record_type,
        "recordVersion": "3.0",
        "userId": user_id(world.application.client_id, person),
    }


def _moment(person: Person, at_s: int) -> dict[str, str]:
    return {"systemTime": written_utc(at_s), "displayTime": display_time(person, at_s)}
