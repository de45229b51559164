"""FastAPI dependencies of the endpoints: the simulator, the user of the access token, dates and faults."""

from dataclasses import dataclass, replace
from typing import Annotated, cast

from fastapi import Depends, HTTPException, Query, Request
from pydantic import BaseModel, Field

from dexcom_sim.faults.record_faults import AppliedFault
from dexcom_sim.faults.targeting import IncomingCall
from dexcom_sim.http.errors import invalid_access_token, invalid_parameter
from dexcom_sim.http.request_summary import bearer_token
from dexcom_sim.people.glucose import DAY_S
from dexcom_sim.people.population import SimulatedPerson
from dexcom_sim.simulator import SimulatedDexcom
from dexcom_sim.timestamps import parse_parameter

_DATE_FORM = "must be a UTC date and time like 2026-02-06T09:12:35, without a zone"


def simulator_of(request: Request) -> SimulatedDexcom:
    """The simulator that this application serves."""
    return cast("SimulatedDexcom", request.app.state.simulator)


SimulatorDependency = Annotated[SimulatedDexcom, Depends(simulator_of)]


def token_owner(request: Request, simulator: SimulatorDependency) -> SimulatedPerson:
    """The user whose data the access token opens, or 401."""
    access_token = bearer_token(request.headers.get("authorization", ""))
    user = simulator.consents.user_of_access_token(access_token)
    if user is None:
        raise invalid_access_token()
    return simulator.people[user]


TokenOwner = Annotated[SimulatedPerson, Depends(token_owner)]


def record_faults(request: Request, simulator: SimulatorDependency, person: TokenOwner) -> list[AppliedFault]:
    """The faults that change the records of this response."""
    call = IncomingCall(request.url.path, person.name)
    acting = simulator.faults.record_faults(call, simulator.now_s())
    request.state.faults += [fault.kind for fault, _ in acting]
    return [(fault, replace(context, person=person)) for fault, context in acting]


RecordFaultsDependency = Annotated[list[AppliedFault], Depends(record_faults)]


def named_person(simulator: SimulatedDexcom, user: str) -> SimulatedPerson:
    """The user named in a control request, or 404."""
    person = simulator.person(user)
    if person is None:
        raise HTTPException(404, f"there is no user {user}; GET /_sim/users lists all users")
    return person


@dataclass(frozen=True, slots=True)
class DataWindow:
    """The seconds [from_s, to_s) of Unix time."""

    from_s: int
    to_s: int


class DateParameters(BaseModel):
    """The two dates of a data request, unparsed."""

    start: str | None = Field(None, alias="startDate")
    end: str | None = Field(None, alias="endDate")

    def window(self, days_max: int) -> DataWindow:
        """The window of the two dates, or 400."""
        from_s, to_s = parse_parameter(self.start), parse_parameter(self.end)
        if from_s is None:
            raise invalid_parameter("startDate", _DATE_FORM)
        if to_s is None:
            raise invalid_parameter("endDate", _DATE_FORM)
        if from_s >= to_s:
            raise invalid_parameter("endDate", "must be after startDate")
        if to_s - from_s > days_max * DAY_S:
            raise invalid_parameter("endDate", f"must not be more than {days_max} days after startDate")
        return DataWindow(from_s, to_s)


DatesDependency = Annotated[DateParameters, Query()]
