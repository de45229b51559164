"""What every endpoint asks of a request first: which world, whose token, which dates."""

from dataclasses import dataclass, replace
from typing import Annotated, cast

from fastapi import Depends, HTTPException, Query, Request
from pydantic import BaseModel, Field

from dexcom_sim.faults.aim import Aimed
from dexcom_sim.faults.changes import Ordered
from dexcom_sim.instants import parse_parameter
from dexcom_sim.people import Person
from dexcom_sim.refusals import bad_parameter, token_dead
from dexcom_sim.seen import bearer_token
from dexcom_sim.traces import DAY_S
from dexcom_sim.world import World


def world_of(request: Request) -> World:
    """The world this application was made for."""
    return cast("World", request.app.state.world)


WorldOf = Annotated[World, Depends(world_of)]


def reader(request: Request, world: WorldOf) -> Person:
    """The person whose data the bearer token opens, or 401."""
    user = world.consents.reader(bearer_token(request.headers.get("authorization", "")))
    if user is None:
        raise token_dead()
    return world.people[user]


Reader = Annotated[Person, Depends(reader)]


def changes(request: Request, world: WorldOf, person: Reader) -> list[Ordered]:
    """The faults that are to change the records of this answer."""
    struck = world.faults.changes(Aimed(request.url.path, person.name), world.now_s())
    request.state.faults += [change.kind for change, _ in struck]
    return [(change, replace(posted, person=person)) for change, posted in struck]


AskedChanges = Annotated[list[Ordered], Depends(changes)]


def named_person(world: World, user: str) -> Person:
    """The person named in a control path, or 404."""
    person = world.person(user)
    if person is None:
        raise HTTPException(404, f"there is no {user}; GET /_sim/users lists everyone")
    return person


@dataclass(frozen=True, slots=True)
class Window:
    """Seconds of Unix time, [from_s, to_s)."""

    from_s: int
    to_s: int


class Dates(BaseModel):
    """The two dates of a data request, as they came."""

    start: str | None = Field(None, alias="startDate")
    end: str | None = Field(None, alias="endDate")

    def window(self, days_max: int) -> Window:
        """The window they mean, or 400."""
        from_s, to_s = parse_parameter(self.start), parse_parameter(self.end)
        if from_s is None:
            raise bad_parameter(
                "startDate", "must be a UTC date and time like 2026-02-06T09:12:35, without a zone"
            )
        if to_s is None:
            raise bad_parameter(
                "endDate", "must be a UTC date and time like 2026-02-06T09:12:35, without a zone"
            )
        if from_s >= to_s:
            raise bad_parameter("endDate", "must be after startDate")
        if to_s - from_s > days_max * DAY_S:
            raise bad_parameter("endDate", f"must not be more than {days_max} days after startDate")
        return Window(from_s, to_s)


AskedDates = Annotated[Dates, Query()]
