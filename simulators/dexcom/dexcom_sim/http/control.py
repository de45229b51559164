"""The control API under `/_sim`: inspect the simulator, move its clock, add readings and faults."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dexcom_sim.added_readings import AddedReading, Instant
from dexcom_sim.faults.fault_list import TooManyFaults
from dexcom_sim.faults.kinds import Fault, as_ordered
from dexcom_sim.http.dependencies import SimulatorDependency, named_person
from dexcom_sim.http.subscription_endpoints import as_json
from dexcom_sim.people.population import SimulatedPerson
from dexcom_sim.simulator import SimulatedDexcom
from dexcom_sim.timestamps import written_utc

_READINGS_MAX = 10_000
_MOVE_S_MAX = 10 * 366 * 86_400

router = APIRouter(prefix="/_sim")


class ClockMove(BaseModel):
    """One way of moving the clock."""

    model_config = ConfigDict(extra="forbid")

    advance_s: float | None = Field(None, ge=-_MOVE_S_MAX, le=_MOVE_S_MAX)
    offset_s: float | None = Field(None, ge=-_MOVE_S_MAX, le=_MOVE_S_MAX)
    now: Instant | None = None

    @model_validator(mode="after")
    def exactly_one(self) -> "ClockMove":
        """Reject two moves at once, because their order would matter."""
        if len(self.model_fields_set) != 1:
            raise ValueError("give exactly one of advance_s, offset_s and now")
        return self


class UploadDelay(BaseModel):
    """How late a user's phone uploads are served."""

    model_config = ConfigDict(extra="forbid")

    upload_delay_s: int = Field(ge=0, le=30 * 86_400)


@router.get("/health")
def health(simulator: SimulatorDependency) -> dict[str, Any]:
    """The seed and the simulated time of a running simulator."""
    return {"status": "ok", "seed": simulator.seed, "now": _now(simulator)}


@router.get("/clock")
def clock(simulator: SimulatorDependency) -> dict[str, Any]:
    """The simulated time."""
    return {"now": _now(simulator), "offset_s": simulator.clock.offset_s}


@router.post("/clock")
def move_clock(simulator: SimulatorDependency, move: ClockMove) -> dict[str, Any]:
    """Move the clock."""
    if move.advance_s is not None:
        simulator.clock.advance(move.advance_s)
    elif move.offset_s is not None:
        simulator.clock.set_offset(move.offset_s)
    elif move.now is not None:
        simulator.clock.move_to(move.now)
    return clock(simulator)


@router.get("/users")
def users(simulator: SimulatorDependency) -> dict[str, Any]:
    """All sandbox users."""
    return {"users": [_described(simulator, person) for person in simulator.people.values()]}


@router.put("/users/{user}/upload-delay")
def set_upload_delay(simulator: SimulatorDependency, user: str, delay: UploadDelay) -> dict[str, Any]:
    """Serve this user's phone uploads that late, those of the past included."""
    person = named_person(simulator, user)
    simulator.archive.set_upload_delay(person, delay.upload_delay_s)
    return _described(simulator, person)


@router.post("/users/{user}/readings", status_code=201)
def add_readings(
    simulator: SimulatorDependency, user: str, readings: AddedReading | list[AddedReading]
) -> JSONResponse:
    """Add readings. Each is visible at once, or from its `uploaded_at` on."""
    person = named_person(simulator, user)
    listed = readings if isinstance(readings, list) else [readings]
    if len(listed) > _READINGS_MAX:
        return JSONResponse({"detail": f"at most {_READINGS_MAX} readings at once"}, 413)
    return JSONResponse({"records": simulator.add_readings(person, listed)}, 201)


@router.get("/subscriptions")
def subscriptions(simulator: SimulatorDependency) -> dict[str, Any]:
    """The path of the subscription endpoints, if any, and the subscriptions of all users."""
    listed = [{**as_json(each), "user": each.user} for each in simulator.subscriptions.listed()]
    return {"path": simulator.subscriptions_path, "subscriptions": listed}


@router.get("/calls")
def calls(simulator: SimulatorDependency) -> dict[str, Any]:
    """The call log: counts, and the newest calls."""
    return simulator.calls.report()


@router.delete("/calls")
def clear_calls(simulator: SimulatorDependency) -> dict[str, Any]:
    """Clear the call log."""
    simulator.calls.clear()
    return simulator.calls.report()


@router.get("/faults")
def faults(simulator: SimulatorDependency) -> dict[str, Any]:
    """The active faults, with the number of calls each matched and acted on."""
    return {"faults": simulator.faults.report()}


@router.post("/faults", status_code=201)
def add_fault(simulator: SimulatorDependency, fault: Annotated[Fault, Body()]) -> dict[str, Any]:
    """Start a fault. A fault that acts once and at once has no id."""
    if fault.user is not None:
        named_person(simulator, fault.user)
    try:
        active = simulator.add_fault(fault)
    except TooManyFaults as error:
        raise HTTPException(409, str(error)) from error
    return {"id": None, **as_ordered(fault)} if active is None else active.report()


@router.delete("/faults")
def clear_faults(simulator: SimulatorDependency) -> dict[str, Any]:
    """End all faults."""
    return {"cleared": [active.report() for active in simulator.clear_faults()]}


@router.delete("/faults/{number}")
def clear_fault(simulator: SimulatorDependency, number: int) -> dict[str, Any]:
    """End one fault."""
    cleared = simulator.clear_faults(number)
    if not cleared:
        raise HTTPException(404, f"there is no fault {number}; GET /_sim/faults lists the active ones")
    return {"cleared": [active.report() for active in cleared]}


@router.post("/reset")
def reset(simulator: SimulatorDependency) -> dict[str, Any]:
    """Return to the initial state."""
    simulator.reset()
    return health(simulator)


def _now(simulator: SimulatedDexcom) -> str:
    return written_utc(simulator.now_s())


def _described(simulator: SimulatedDexcom, person: SimulatedPerson) -> dict[str, Any]:
    return {
        "user": person.name,
        "zone": person.zone,
        "device": person.device,
        "generation": person.sensor_model.generation,
        "variant": person.sensor_model.variant,
        "upload_delay_s": simulator.archive.upload_delay_s(person),
        "connected": simulator.consents.is_connected(person.name),
    }
