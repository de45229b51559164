"""The control API's faults: list, order, take back."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException

from dexcom_sim.asked import WorldOf, named_person
from dexcom_sim.faults.book import TooManyFaults
from dexcom_sim.faults.kinds import Fault, told

router = APIRouter(prefix="/_sim/faults")


@router.get("")
def faults(world: WorldOf) -> dict[str, Any]:
    """Everything that goes wrong on command, with how often it was asked and struck."""
    return {"faults": world.faults.report()}


@router.post("", status_code=201)
def add_fault(world: WorldOf, fault: Annotated[Fault, Body()]) -> dict[str, Any]:
    """Let something go wrong; what is done and over at once has no id."""
    if fault.user is not None:
        named_person(world, fault.user)
    try:
        standing = world.order(fault)
    except TooManyFaults as refused:
        raise HTTPException(409, str(refused)) from refused
    return {"id": None, **told(fault)} if standing is None else standing.report()


@router.delete("")
def clear_faults(world: WorldOf) -> dict[str, Any]:
    """Everything behaves again."""
    return {"cleared": [standing.report() for standing in world.take_back()]}


@router.delete("/{number}")
def clear_fault(world: WorldOf, number: int) -> dict[str, Any]:
    """One thing behaves again."""
    gone = world.take_back(number)
    if not gone:
        raise HTTPException(404, f"no fault {number}; GET /_sim/faults lists those that stand")
    return {"cleared": [standing.report() for standing in gone]}
