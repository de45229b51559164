# What a `value` and its `unit` mean in whole mg/dL.
#
# Rule 1: values are documented as always mg/dL, and units as "mg/dL", "mmol/L" or "unknown".
# Rule 2: a number is read as mmol/L only if the unit says so *and* it can be mmol/L. No number can be both:
#         33.3 mmol/L is 600 mg/dL, beyond any sensor, and 39 mg/dL is the least a sensor reports.
#         A rate is in mmol/L only if its own unit says so and the value beside it is.
# Rule 3: a value that no sensor can have measured is no reading. It is refused, never corrected.
#
#     mg/dL   0    13        39                          401               1000
#             |----|---------|x=========================x|-----------------|-----
#      refused^        below: "low"                       above: "high"       refused
"""Glucose in whole milligrams per decilitre, from numbers and units as they come."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bg_ingest.readings.model import Status

MG_DL_PER_MMOL_L = 18.01559
LOW, HIGH = 39, 401  # Dexcom's codes for "below 40" and "above 400".
# Numbers up to 12 are a sensor's error codes, in Dexcom's devices since the first.
MG_DL_MIN = 13
# Far above what sensors reach; nearer the limit, a good value may get lost.
MG_DL_MAX = 1000
_MMOL_L_MAX = 33.3


class Implausible(StrEnum):
    """Why a value is none."""

    MISSING = "value-missing"
    NOT_A_NUMBER = "value-not-a-number"
    OUT_OF_RANGE = "value-out-of-range"


def mg_dl_of(value: object, unit: object) -> int | Implausible:
    """The value in mg/dL, rounded half up, or why it is none."""
    if value is None:
        return Implausible.MISSING
    number = number_of(value)
    if number is None:
        return Implausible.NOT_A_NUMBER
    if in_mmol_l(value, unit):
        number *= MG_DL_PER_MMOL_L
    if not MG_DL_MIN - 0.5 <= number < MG_DL_MAX + 0.5:
        return Implausible.OUT_OF_RANGE
    return math.floor(number + 0.5)


def in_mmol_l(value: object, unit: object) -> bool:
    """Whether a value is in mmol/L: it is called so, and can be."""
    number = number_of(value)
    return number is not None and number <= _MMOL_L_MAX and _says_mmol(unit)


def rate_of(rate: object, unit: object) -> float | None:
    """A trend rate in mg/dL per minute; None where there is none to be had."""
    number = number_of(rate)
    if number is None:
        return None
    mg_dl_min = round(number * MG_DL_PER_MMOL_L, 3) if _says_mmol(unit) else number
    # Nobody is shown "-0.0". Adding zero changes no other number.
    return mg_dl_min + 0.0


def status_of(mg_dl: int, status: object) -> Status | None:
    """Whether the sensor could only say "too low" or "too high"; its codes weigh more than the word."""
    if mg_dl == LOW:
        return "low"
    if mg_dl == HIGH:
        return "high"
    if status == "low":
        return "low"
    return "high" if status == "high" else None


def number_of(value: object) -> float | None:
    """A finite number; True is none, and neither is what does not fit a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _says_mmol(unit: object) -> bool:
    return isinstance(unit, str) and unit.strip().lower().startswith("mmol")
