from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.dexcom.responses import Implausible, mg_dl_of, rate_of, status_of


@pytest.mark.parametrize(
    ("value", "unit", "mg_dl"),
    [
        (120, "mg/dL", 120),
        (120.0, None, 120),
        (120, "unknown", 120),
        (39, "mg/dL", 39),
        (401, "mg/dL", 401),
        (20, "mg/dL", 20),
        (612, "mg/dL", 612),
        (99.5, "mg/dL", 100),
        (100.5, "mg/dL", 101),
        (13, "mg/dL", 13),
        (12.5, "mg/dL", 13),
        (1000.4, "mg/dL", 1000),
        (5.5, "mmol/L", 99),
        (33.3, "mmol/L", 600),
        (33.4, "mmol/L", 33),
        (22.2, "mmol/L", 400),
        (2.2, "MMOL/L", 40),
        (120, "mmol/L", 120),
        (39, "mmol/L", 39),
        (401, "mmol/L", 401),
    ],
)
def test_value_is_converted_to_whole_mg_dl(value: object, unit: object, mg_dl: int) -> None:
    """A value in mmol/L is converted; a value above 33.3 is in mg/dL with any unit."""
    assert mg_dl_of(value, unit) == mg_dl


@pytest.mark.parametrize(
    ("value", "unit", "reason"),
    [
        (None, "mg/dL", Implausible.MISSING),
        ("120", "mg/dL", Implausible.NOT_A_NUMBER),
        (True, "mg/dL", Implausible.NOT_A_NUMBER),
        ([120], "mg/dL", Implausible.NOT_A_NUMBER),
        (float("nan"), "mg/dL", Implausible.NOT_A_NUMBER),
        (float("inf"), "mmol/L", Implausible.NOT_A_NUMBER),
        (10**400, "mg/dL", Implausible.NOT_A_NUMBER),
        (0, "mg/dL", Implausible.OUT_OF_RANGE),
        (12, "mg/dL", Implausible.OUT_OF_RANGE),
        (12.4, "mg/dL", Implausible.OUT_OF_RANGE),
        (5.5, "mg/dL", Implausible.OUT_OF_RANGE),
        (-120, "mg/dL", Implausible.OUT_OF_RANGE),
        (1000.5, "mg/dL", Implausible.OUT_OF_RANGE),
        (1001, "mg/dL", Implausible.OUT_OF_RANGE),
        (0.1, "mmol/L", Implausible.OUT_OF_RANGE),
    ],
)
def test_implausible_value_is_rejected(value: object, unit: object, reason: str) -> None:
    """A value that no sensor can have measured is rejected with its reason."""
    assert mg_dl_of(value, unit) is reason


@given(st.decimals(min_value="0.8", max_value="33.3", places=1))
def test_mmol_is_rounded_half_up(mmol_l: Decimal) -> None:
    """The conversion gives the same result as exact decimal arithmetic, rounded half up."""
    exact = (mmol_l * Decimal("18.01559")).quantize(Decimal(1), ROUND_HALF_UP)

    assert mg_dl_of(float(mmol_l), "mmol/L") == exact


@pytest.mark.parametrize(
    ("mg_dl", "word", "status"),
    [
        (39, None, "low"),
        (401, None, "high"),
        (39, "high", "low"),
        (45, "low", "low"),
        (399, "high", "high"),
        (120, None, None),
        (120, "ok", None),
        (120, 7, None),
        (38, None, None),
    ],
)
def test_codes_39_and_401_override_the_status(mg_dl: int, word: object, status: str | None) -> None:
    """The value 39 is "low" and 401 is "high" with any `status` string."""
    assert status_of(mg_dl, word) == status


@pytest.mark.parametrize(
    ("rate", "unit", "mg_dl_min"),
    [
        (0.3, "mg/dL/min", 0.3),
        (-2, None, -2.0),
        (0.1, "mmol/L/min", 1.802),
        (None, None, None),
        ("1", None, None),
    ],
)
def test_rate_is_in_mg_dl_per_minute(rate: object, unit: object, mg_dl_min: float | None) -> None:
    """A rate in mmol/L is converted; a rate that is not a number is None."""
    assert rate_of(rate, unit) == mg_dl_min


@pytest.mark.parametrize(
    ("rate", "unit"), [(-0.0, None), (-0.0, "mmol/L/min"), (-0.00001, "mmol/L/min"), (0, None)]
)
def test_rate_of_zero_has_no_sign(rate: float, unit: str | None) -> None:
    """The rate -0.0 becomes 0.0, so that it is not shown and not stored as a revision."""
    assert str(rate_of(rate, unit)) == "0.0"
