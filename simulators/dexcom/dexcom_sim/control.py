"""The control API: looking into the simulated world and moving it."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dexcom_sim.added import AddedReading, Instant, added_of
from dexcom_sim.asked import WorldOf, named_person
from dexcom_sim.instants import written_utc
from dexcom_sim.people import Person
from dexcom_sim.world import World

_READINGS_MAX = 10_000
_MOVE_S_MAX = 10 * 366 * 86_400

router = APIRouter(prefix="/_sim")


class ClockMove(BaseModel):
    """Exactly one way of moving the clock."""

    model_config = ConfigDict(extra="forbid")

    advance_s: float | None = Field(None, ge=-_MOVE_S_MAX, le=_MOVE_S_MAX)
    offset_s: float | None = Field(None, ge=-_MOVE_S_MAX, le=_MOVE_S_MAX)
    now: Instant | None = None

    @model_validator(mode="after")
    def exactly_one(self) -> "ClockMove":
        """Two moves at once would depend on their order."""
        if len(self.model_fields_set) != 1:
            raise ValueError("give exactly one of advance_s, offset_s and now")
        return self


class UploadDelay(BaseModel):
    """How late a person's phone uploads are served."""

    model_config = ConfigDict(extra="forbid")

    upload_delay_s: int = Field(ge=0, le=30 * 86_400)


@router.get("/health")
def health(world: WorldOf) -> dict[str, Any]:
    """That it runs, and with which seed."""
    return {"status": "ok", "seed": world.seed, "now": _now(world)}


@router.get("/clock")
def clock(world: WorldOf) -> dict[str, Any]:
    """The time in the simulated world."""
    return {"now": _now(world), "offset_s": world.clock.offset_s}


@router.post("/clock")
def move_clock(world: WorldOf, move: ClockMove) -> dict[str, Any]:
    """Move it."""
    if move.advance_s is not None:
        world.clock.advance(move.advance_s)
    elif move.offset_s is not None:
        world.clock.offset_by(move.offset_s)
    elif move.now is not None:
        world.clock.move_to(move.now)
    return clock(world)


@router.get("/users")
def users(world: WorldOf) -> dict[str, Any]:
    """Everyone who can be connected."""
    return {"users": [_described(world, person) for person in world.people.values()]}


@router.put("/users/{user}/upload-delay")
def delay_uploads(world: WorldOf, user: str, delay: UploadDelay) -> dict[str, Any]:
    """Serve this person's phone uploads that late, as if it had always been so."""
    person = named_person(world, user)
    world.journal.delay_uploads(person, delay.upload_delay_s)
    return _described(world, person)


@router.post("/users/{user}/readings", status_code=201)
def add_readings(world: WorldOf, user: str, readings: AddedReading | list[AddedReading]) -> JSONResponse:
    """Put readings there as if they had been uploaded, visible at once unless they say otherwise."""
    person = named_person(world, user)
    listed = readings if isinstance(readings, list) else [readings]
    if len(listed) > _READINGS_MAX:
        return JSONResponse({"detail": f"at most {_READINGS_MAX} readings at once"}, 413)
    added = [added_of(world, person, reading) for reading in listed]
    world.journal.add(person, added)
    return JSONResponse({"records": [reading.shown.record for reading in added]}, 201)


@router.get("/calls")
def calls(world: WorldOf) -> dict[str, Any]:
    """What was asked so far: counts, and the newest calls."""
    return world.calls.report()


@router.delete("/calls")
def forget_calls(world: WorldOf) -> dict[str, Any]:
    """Count from zero."""
    world.calls.clear()
    return world.calls.report()


@router.post("/reset")
def reset(world: WorldOf) -> dict[str, Any]:
    """Back to the beginning."""
    world.reset()
    return health(world)


def _now(world: World) -> str:
    return written_utc(world.now_s())


def _described(world: World, person: Person) -> dict[str, Any]:
    return {
        "user": person.name,
        "zone": person.zone,
        "device": person.phone,
        "generation": person.wears.generation,
        "variant": person.wears.variant,
        "upload_delay_s": world.journal.delay_s(person),
        "connected": world.consents.connected(person.name),
    }
