# Conversion of `value` and `unit` to whole mg/dL.
#
# Rule 1: Dexcom documents values in mg/dL only, and the units "mg/dL", "mmol/L" and "unknown".
# Rule 2: If the unit is mmol/L and the value is at most 33.3, then the value is converted.
#         Example: 5.5 mmol/L becomes 99 mg/dL.
#         Otherwise the value is in mg/dL. Example: 120 "mmol/L" stays 120, because Dexcom has mislabelled it.
#         No value can be both: 33.3 mmol/L is 600 mg/dL, more than a sensor reports, and a sensor reports no
#         mg/dL below 39.
# Rule 3: If the rate's unit is mmol/L and the value beside it was converted, then the rate is converted.
# Rule 4: If no sensor can have measured the value, then it is rejected. It is never corrected.
# Rule 5: If there is no value, and the status says "low" or "high", then the value is its code: 39 or 401.
#
#     mg/dL   0    13        39                          401               1000
#             |----|---------|x=========================x|-----------------|-----
#     rejected^        below: "low"                       above: "high"       rejected
"""Glucose values and trend rates in mg/dL, from the values and units that Dexcom sends."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING

from bg_ingest.providers.json_values import number_of
from bg_ingest.readings.model import MG_DL_PER_MMOL_L

if TYPE_CHECKING:
    from bg_ingest.readings.model import Status

LOW, HIGH = 39, 401  # Dexcom's codes for "below 40" and "above 400".
# Values up to 12 are error codes of the sensor, in all generations of Dexcom's devices.
MG_DL_MIN = 13
# Well above what a sensor reports, so that no valid value is rejected.
MG_DL_MAX = 1000
_MMOL_L_MAX = 33.3


class Implausible(StrEnum):
    """Why a value is rejected."""

    MISSING = "value-missing"
    NOT_A_NUMBER = "value-not-a-number"
    OUT_OF_RANGE = "value-out-of-range"


def mg_dl_of(value: object, unit: object, status: object = None) -> int | Implausible:
    """The value in mg/dL, rounded half up, or why it is rejected."""
    if value is None:
        return _code_of(status)
    number = number_of(value)
    if number is None:
        return Implausible.NOT_A_NUMBER
    if in_mmol_l(value, unit):
        number *= MG_DL_PER_MMOL_L
    if not MG_DL_MIN - 0.5 <= number < MG_DL_MAX + 0.5:
        return Implausible.OUT_OF_RANGE
    return math.floor(number + 0.5)


def in_mmol_l(value: object, unit: object) -> bool:
    """Whether a value is in mmol/L (rule 2)."""
    number = number_of(value)
    return number is not None and number <= _MMOL_L_MAX and _says_mmol(unit)


def rate_of(rate: object, unit: object) -> float | None:
    """A trend rate in mg/dL per minute; None if it is not a number."""
    number = number_of(rate)
    if number is None:
        return None
    mg_dl_min = round(number * MG_DL_PER_MMOL_L, 3) if _says_mmol(unit) else number
    return mg_dl_min + 0.0  # Turns -0.0 into 0.0.


def status_of(mg_dl: int, status: object) -> Status | None:
    """Whether the value is below or above the sensor's range; the codes 39 and 401 override `status`."""
    if mg_dl == LOW:
        return "low"
    if mg_dl == HIGH:
        return "high"
    if status == "low":
        return "low"
    return "high" if status == "high" else None


def _code_of(status: object) -> int | Implausible:
    if status == "low":
        return LOW
    return HIGH if status == "high" else Implausible.MISSING


def _says_mmol(unit: object) -> bool:
    return isinstance(unit, str) and unit.strip().lower().startswith("mmol")
