"""Kovatchev's blood glucose risk: LBGI, HBGI and the average daily risk range."""

# f(x) = 1.509 (ln(x)^1.084 - 5.381) is negative below some 112.5 mg/dL and positive above, and rises with x.
# The risk of a value is 10 f(x)^2: risk of hypoglycaemia where f < 0, of hyperglycaemia where f > 0.

from __future__ import annotations

from dataclasses import dataclass
from math import fsum, log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable

    from bg_ingest.statistics.days import LocalDay


@dataclass(frozen=True, slots=True)
class DailyRisk:
    """Average daily risk range, and the number of days with readings."""

    value: float | None
    days: int


def lbgi(counts: Counter[int]) -> float | None:
    """Low blood glucose index; None without readings."""
    return _mean((_low_risk(value), count) for value, count in counts.items())


def hbgi(counts: Counter[int]) -> float | None:
    """High blood glucose index; None without readings."""
    return _mean((_high_risk(value), count) for value, count in counts.items())


def adrr(days: Iterable[LocalDay]) -> DailyRisk:
    """The greatest low risk of a day plus its greatest high risk, averaged over the days with readings."""
    # f rises, so the lowest value of a day has the greatest low risk and the highest the greatest high risk.
    risks = [_low_risk(min(day.mg_dl)) + _high_risk(max(day.mg_dl)) for day in days if day.mg_dl]
    return DailyRisk(_mean((risk, 1) for risk in risks), len(risks))


def _mean(risks: Iterable[tuple[float, int]]) -> float | None:
    counted = list(risks)
    number = sum(count for _, count in counted)
    return fsum(risk * count for risk, count in counted) / number if number else None


def _low_risk(mg_dl: int) -> float:
    return 10 * min(_f(mg_dl), 0) ** 2


def _high_risk(mg_dl: int) -> float:
    return 10 * max(_f(mg_dl), 0) ** 2


def _f(mg_dl: int) -> float:
    # Typed as float by hand: for all Python knows, a power of a float may be complex.
    power: float = log(mg_dl) ** 1.084
    return 1.509 * (power - 5.381)
