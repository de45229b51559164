from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from bg_ingest.readings.units import MG_DL_PER_MMOL_L, mmol_l


def test_mmol_l_is_rounded_half_up() -> None:
    """One decimal, equal to exact decimal arithmetic."""
    for mg_dl in (*range(602), 18_015_590):
        exact = (Decimal(mg_dl) / Decimal("18.01559")).quantize(Decimal("0.1"), ROUND_HALF_UP)
        assert str(mmol_l(mg_dl)) == str(exact)


def test_the_factor_is_exact() -> None:
    """It is the molar mass of glucose divided by ten."""
    assert MG_DL_PER_MMOL_L == 18.01559
