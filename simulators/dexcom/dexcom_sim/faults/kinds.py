"""The union of all faults, which pydantic can parse JSON into."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from dexcom_sim.faults.format_faults import (
    ExtraMembers,
    MissingMembers,
    MmolUnits,
    PluralRecordType,
    UnknownEnums,
)
from dexcom_sim.faults.measurement_faults import ClockDrift, Duplicates, OddValues, RevisedValues, Unordered
from dexcom_sim.faults.response_faults import (
    Dropped,
    FullApplication,
    Maintenance,
    MangledBody,
    SlowBody,
    SlowHeaders,
    StatusFault,
)
from dexcom_sim.faults.state_faults import (
    AccessTokenExpired,
    LateUploads,
    QuotaExhausted,
    RefreshTokenUsed,
    UserRevoked,
)
from dexcom_sim.faults.time_faults import DstChange, TimeStrings

AnyResponseFault = (
    StatusFault | Maintenance | FullApplication | MangledBody | SlowHeaders | SlowBody | Dropped
)
AnyRecordFault = (
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
LastingStateFault = QuotaExhausted | LateUploads  # Lasts, but acts on no single call.
TokenFault = UserRevoked | RefreshTokenUsed | AccessTokenExpired  # Acts once and at once.
LastingFault = AnyResponseFault | AnyRecordFault | LastingStateFault
Fault = Annotated[LastingFault | TokenFault, Field(discriminator="kind")]


def as_ordered(fault: LastingFault | TokenFault) -> dict[str, Any]:
    """The fault as the control API received it: its kind, and the members that differ from the defaults."""
    return {"kind": fault.kind, **fault.model_dump(mode="json", exclude_defaults=True)}
