"""Units of glucose: mg/dL and mmol/L."""

from __future__ import annotations

# One mmol/L of glucose is 18.01559 mg/dL. As an integer, so that rounding is exact.
_MG_DL_PER_100000_MMOL_L = 1_801_559
MG_DL_PER_MMOL_L = _MG_DL_PER_100000_MMOL_L / 100_000


def mmol_l(mg_dl: int) -> float:
    """The value in mmol/L with one decimal, rounded half up, as a meter in that unit shows it."""
    # Integers up to the last step: a float could fall to the wrong side of a half.
    halves = 2 * 10 * 100_000 * mg_dl + _MG_DL_PER_100000_MMOL_L
    return halves // (2 * _MG_DL_PER_100000_MMOL_L) / 10
