"""One measurement with its budget and the value of the plain design."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class Measured:
    """A row of the report; `beside` is the plain design's value, or as its section says."""

    section: str
    what: str
    value: float
    unit: str
    budget: float | None = None
    beside: float | None = None

    def verdict(self, slowness: float) -> str:
        """Return whether the budget is met; empty without a budget."""
        if self.budget is None:
            return ""
        if self.value <= self.budget:
            return "met"
        # A slow machine excuses a long duration, and nothing else.
        return "slow machine" if self.unit == "ms" and self.value / slowness <= self.budget else "MISSED"


def cpu_ms_of_each(acts: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Return the median CPU time of this process for each; other processes do not count.

    They take turns, so a slow period of the machine affects all of them and the ratio holds.
    """
    for act in acts:
        act()  # The first run is slower than the others.
    rounds = [[_once(act) for act in acts] for _ in range(repeats)]
    return [statistics.median(times_ms) for times_ms in zip(*rounds, strict=True)]


def _once(act: Callable[[], object]) -> float:
    started_s = time.process_time()
    act()
    return (time.process_time() - started_s) * 1000
