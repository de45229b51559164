"""Dexcom's older data endpoint, which still answers."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from dexcom_sim.asked import AskedChanges, AskedDates, Reader, WorldOf
from dexcom_sim.records import as_v2

DAYS_MAX = 90

router = APIRouter(prefix="/v2/users/self")


@router.get("/egvs")
def egvs(world: WorldOf, person: Reader, dates: AskedDates, changes: AskedChanges) -> JSONResponse:
    """The glucose values of a window, newest first, without ids and zones."""
    window = dates.window(DAYS_MAX)
    records = world.egvs(person, window.from_s, window.to_s, changes)
    return JSONResponse(
        {"unit": "mg/dL", "rateUnit": "mg/dL/min", "egvs": [as_v2(record) for record in records]}
    )
