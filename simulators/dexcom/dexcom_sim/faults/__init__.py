"""
Faults: what can go wrong at Dexcom, and goes wrong here on command.

Every kind of fault is a class. Its `kind` in the control API is the class name in lower case with
underscores, so `SlowHeaders` has the kind `slow_headers`. There are three exceptions: `StatusFault` has the
kind `status`, `FullApplication` has `application_full`, and `QuotaExhausted` has `quota`.
"""

from dexcom_sim.faults.error_bodies import BodyShape
from dexcom_sim.faults.format_faults import (
    ExtraMembers,
    MissingMembers,
    MmolUnits,
    PluralRecordType,
    UnknownEnums,
)
from dexcom_sim.faults.kinds import Fault
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

__all__ = [
    "AccessTokenExpired",
    "BodyShape",
    "ClockDrift",
    "Dropped",
    "DstChange",
    "Duplicates",
    "ExtraMembers",
    "Fault",
    "FullApplication",
    "LateUploads",
    "Maintenance",
    "MangledBody",
    "MissingMembers",
    "MmolUnits",
    "OddValues",
    "PluralRecordType",
    "QuotaExhausted",
    "RefreshTokenUsed",
    "RevisedValues",
    "SlowBody",
    "SlowHeaders",
    "StatusFault",
    "TimeStrings",
    "UnknownEnums",
    "Unordered",
    "UserRevoked",
]
