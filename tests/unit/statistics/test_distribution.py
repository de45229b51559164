from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from statistics import quantiles as standard_quantiles
from statistics import stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.statistics.distribution import Level, level, quantiles, sample_sd
from tests.unit.statistics.by_definition import quantile


def test_quantiles_interpolate_linearly() -> None:
    """Type 7: the median of four values lies between the middle two, the quartiles a quarter into a step."""
    assert quantiles(Counter([100, 110, 130, 200]), (0, 25, 50, 75, 100)) == [100, 107.5, 120, 147.5, 200]


def test_quantiles_of_one_value_are_that_value() -> None:
    """Nothing is between a value and itself."""
    assert quantiles(Counter([117]), (5, 50, 95)) == [117, 117, 117]


@given(st.lists(st.integers(13, 1000), min_size=2, max_size=60))
def test_quantiles_equal_the_standard_library(values: list[int]) -> None:
    """Quantiles of counted values are those of the standard library's inclusive method, and exact."""
    percents = range(1, 100)

    ours = quantiles(Counter(values), percents)

    assert ours == pytest.approx(standard_quantiles(values, n=100, method="inclusive"), abs=1e-9)
    assert ours == [quantile(values, Fraction(percent, 100)) for percent in percents]


def test_deviation_has_one_less_than_the_values() -> None:
    """The deviation of two values is the root of half the square of their distance."""
    assert sample_sd(2, 210, 100 * 100 + 110 * 110) == math.sqrt(50)
    assert sample_sd(1, 100, 10_000) is None


@given(st.lists(st.integers(39, 401), min_size=2, max_size=60))
def test_deviation_equals_the_standard_library(values: list[int]) -> None:
    """The deviation from sums of integers is exact to the last place but one."""
    assert level(Counter(values)).sd_mg_dl == pytest.approx(stdev(values), rel=1e-14)


def test_gmi_equals_the_published_table() -> None:
    """Bergenstal's table: a mean of 150 mg/dL is a GMI of 6.9 %, 200 mg/dL is 8.1 %, in both units."""
    assert level(Counter([150])).gmi_percent == pytest.approx(6.898)
    assert level(Counter([200])).gmi_percent == pytest.approx(8.094)
    assert level(Counter([150])).gmi_mmol_mol == pytest.approx(51.89, abs=0.005)


def test_no_values_have_no_level() -> None:
    """Of nothing every figure is None."""
    assert level(Counter()) == Level()
