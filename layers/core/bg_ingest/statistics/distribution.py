"""Distribution of glucose values: mean, standard deviation, quantiles, GMI."""

# There are some hundred different values among 26,000 readings, so they are counted once. Sums are sums of
# integers and therefore exact; each figure is rounded once, when it is divided.

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from math import sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

LOW, HIGH = 39, 401  # A sensor's codes for "below 40" and "above 400".
_MG_DL_PER_MMOL_L = 18.01559


@dataclass(frozen=True, slots=True)
class Level:
    """Where glucose lay and how far it spread; None where there are too few readings."""

    mean_mg_dl: float | None = None
    sd_mg_dl: float | None = None
    cv_percent: float | None = None
    median_mg_dl: float | None = None
    iqr_mg_dl: float | None = None
    min_mg_dl: int | None = None
    max_mg_dl: int | None = None
    gmi_percent: float | None = None
    gmi_mmol_mol: float | None = None
    j_index: float | None = None


def level(counts: Counter[int]) -> Level:
    """The figures of values that are counted."""
    number = counts.total()
    if not number:
        return Level()
    total = sum(value * count for value, count in counts.items())
    squares = sum(value * value * count for value, count in counts.items())
    mean, sd = total / number, sample_sd(number, total, squares)
    lower, median, upper = quantiles(counts, (25, 50, 75))
    return Level(
        mean_mg_dl=mean,
        sd_mg_dl=sd,
        cv_percent=None if sd is None else 100 * sd / mean,
        median_mg_dl=median,
        iqr_mg_dl=upper - lower,
        min_mg_dl=min(counts),
        max_mg_dl=max(counts),
        gmi_percent=3.31 + 0.02392 * mean,
        gmi_mmol_mol=12.71 + 4.70587 * mean / _MG_DL_PER_MMOL_L,
        j_index=None if sd is None else 0.001 * (mean + sd) ** 2,
    )


def sample_sd(number: int, total: int, squares: int) -> float | None:
    """The standard deviation with n - 1, from the sums of integers and of their squares."""
    if number < 2:
        return None
    return sqrt((number * squares - total * total) / (number * (number - 1)))


def quantiles(counts: Counter[int], percents: Sequence[int]) -> list[float]:
    """Quantiles by linear interpolation, type 7 of Hyndman and Fan; there must be a value."""
    values = sorted(counts)
    upto = list(accumulate(counts[value] for value in values))
    found = []
    for percent in percents:
        # The place among the sorted values, in hundredths: integers, so that no value is missed by 1e-16.
        rank, hundredths = divmod((upto[-1] - 1) * percent, 100)
        below = _value_at(values, upto, rank)
        above = _value_at(values, upto, min(rank + 1, upto[-1] - 1))
        found.append((100 * below + hundredths * (above - below)) / 100)
    return found


def _value_at(values: Sequence[int], upto: Sequence[int], rank: int) -> int:
    return values[bisect_right(upto, rank)]
