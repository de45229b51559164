from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from hypothesis import given

from bg_ingest.statistics.days import LocalDay
from bg_ingest.statistics.risk import DailyRisk, adrr, hbgi, lbgi
from tests.unit.statistics.by_definition import f, risk
from tests.unit.statistics.made_up import values


def day_of(*mg_dl: int) -> LocalDay:
    """A day with some readings."""
    return LocalDay(date(2026, 3, 26), begun=True, expected=288, received=len(mg_dl), mg_dl=mg_dl)


def test_risk_is_published_for_the_extremes() -> None:
    """Kovatchev scaled risk so that it is 100 at 20 mg/dL and at 600 mg/dL, and 0 near 112.5."""
    assert lbgi(Counter([20])) == pytest.approx(100, rel=0.01)
    assert hbgi(Counter([600])) == pytest.approx(100, rel=0.01)
    assert lbgi(Counter([112])) == pytest.approx(0, abs=0.001)
    assert hbgi(Counter([113])) == pytest.approx(0, abs=0.001)


@given(values())
def test_a_value_has_either_low_or_high_risk(value: int) -> None:
    """A low value adds nothing to the high index, and a high one nothing to the low."""
    low, high = lbgi(Counter([value])), hbgi(Counter([value]))

    assert (low, high) == pytest.approx((risk(value), 0) if f(value) < 0 else (0, risk(value)), abs=1e-12)


def test_every_reading_counts_in_the_mean_of_risks() -> None:
    """Readings without low risk make the low index smaller."""
    assert lbgi(Counter({50: 1, 200: 3})) == pytest.approx(risk(50) / 4)
    assert hbgi(Counter({50: 1, 200: 3})) == pytest.approx(risk(200) * 3 / 4)


def test_daily_risk_range_adds_both_extremes_of_a_day() -> None:
    """A day with 50 and 250 has the risk of both; days without readings are left out of the mean."""
    days = [day_of(50, 120, 250), day_of(), day_of(60, 70)]

    found = adrr(days)

    assert found.value == pytest.approx((risk(50) + risk(250) + risk(60)) / 2)
    assert found.days == 2


def test_no_readings_have_no_risk() -> None:
    """Without readings there is no index, and no day."""
    assert (lbgi(Counter()), hbgi(Counter()), adrr([day_of()])) == (None, None, DailyRisk(None, 0))
