"""Kovatchev's blood glucose risk: LBGI, HBGI and the average daily risk range."""

# f(x) = 1.509 (ln(x)^1.084 - 5.381) is negative below some 112.5 mg/dL and positive above, and rises with x.
# The risk of a value is 10 f(x)^2: risk of hypoglycaemia where f < 0, of hyperglycaemia where f > 0.

from __future__ import annotations

from dataclasses import dataclass
from math import fsum, log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable

    from bg_ingest.statistics.days import LocalDay


@dataclass(frozen=True, slots=True)
class DailyRisk:
    """Average daily risk range, and the number of days with readings."""

    value: float | None
    days: int


def lbgi(counts: Counter[int]) -> float | None:
    """Low blood glucose index; None without readings."""
    return _mean_risk(counts, _low_risk)


def hbgi(counts: Counter[int]) -> float | None:
    """High blood glucose index; None without readings."""
    return _mean_risk(counts, _high_risk)


def adrr(days: Iterable[LocalDay]) -> DailyRisk:
    """The greatest low risk of a day plus its greatest high risk, averaged over the days with readings."""
    # f rises, so the lowest value of a day has the greatest low risk and the highest the greatest high risk.
    risks = [_low_risk(min(day.mg_dl)) + _high_risk(max(day.mg_dl)) for day in days if day.mg_dl]
    return DailyRisk(fsum(risks) / len(risks) if risks else None, len(risks))


def _mean_risk(counts: Counter[int], risk: Callable[[int], float]) -> float | None:
    if not counts:
        return None
    return fsum(risk(value) * count for value, count in counts.items()) / counts.total()


def _low_risk(mg_dl: int) -> float:
    return 10 * min(_f(mg_dl), 0) ** 2


def _high_risk(mg_dl: int) -> float:
    return 10 * max(_f(mg_dl), 0) ** 2


def _f(mg_dl: int) -> float:
    # Typed as float by hand: for all Python knows, a power of a float may be complex.
    power: float = log(mg_dl) ** 1.084
    return 1.509 * (power - 5.381)
