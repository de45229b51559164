"""Every kind of fault, as one type that JSON can be read into."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from dexcom_sim.faults.answers import (
    ApplicationFull,
    Dropped,
    Maintenance,
    MangledBody,
    SlowBody,
    SlowHeaders,
    Status,
)
from dexcom_sim.faults.dated import DstChange, TimeStrings
from dexcom_sim.faults.deeds import (
    AccessTokenExpired,
    LateUploads,
    QuotaExhausted,
    RefreshTokenUsed,
    UserRevoked,
)
from dexcom_sim.faults.measured import ClockDrift, Duplicates, OddValues, RevisedValues, Unordered
from dexcom_sim.faults.spelled import ExtraMembers, MissingMembers, MmolUnits, PluralRecordType, UnknownEnums

CallFault = Status | Maintenance | ApplicationFull | MangledBody | SlowHeaders | SlowBody | Dropped
RecordFault = (
    ClockDrift
    | Duplicates
    | RevisedValues
    | OddValues
    | Unordered
    | UnknownEnums
    | MissingMembers
    | MmolUnits
    | ExtraMembers
    | PluralRecordType
    | TimeStrings
    | DstChange
)
Condition = QuotaExhausted | LateUploads  # Stands, but strikes no single call.
TokenDeed = UserRevoked | RefreshTokenUsed | AccessTokenExpired  # Done and over.
StandingFault = CallFault | RecordFault | Condition
Fault = Annotated[StandingFault | TokenDeed, Field(discriminator="kind")]


def told(fault: StandingFault | TokenDeed) -> dict[str, Any]:
    """The fault as it was ordered: its kind, and what was said beyond the defaults."""
    return {"kind": fault.kind, **fault.model_dump(mode="json", exclude_defaults=True)}
