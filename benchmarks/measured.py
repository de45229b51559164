"""One number, the number it must not exceed, and the same done the plain way."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class Measured:
    """A line of the report; `beside` is the plain way, or what its section says."""

    section: str
    what: str
    value: float
    unit: str
    budget: float | None = None
    beside: float | None = None

    def verdict(self, slowness: float) -> str:
        """Whether the budget is kept; empty where there is none."""
        if self.budget is None:
            return ""
        if self.value <= self.budget:
            return "met"
        # A slow machine excuses the time that something takes, and nothing else.
        return "slow machine" if self.unit == "ms" and self.value / slowness <= self.budget else "MISSED"


def cpu_ms_of_each(acts: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """
    The median CPU time of this process for each; what other processes do for it does not count.

    They take turns: what makes the machine slower for a while makes all of them slower, and the ratio holds.
    """
    for act in acts:
        act()  # The first time is not like the others.
    rounds = [[_once(act) for act in acts] for _ in range(repeats)]
    return [statistics.median(times_ms) for times_ms in zip(*rounds, strict=True)]


def _once(act: Callable[[], object]) -> float:
    started_s = time.process_time()
    act()
    return (time.process_time() - started_s) * 1000
