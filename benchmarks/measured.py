"""One number, the number it must not exceed, and the same done the plain way."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Measured:
    """A line of the report; `beside` is the plain way, or what its section says."""

    section: str
    what: str
    value: float
    unit: str
    budget: float | None = None
    beside: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the budget is kept; empty where there is none."""
        if self.budget is None:
            return ""
        return "met" if self.value <= self.budget else "MISSED"


def cpu_ms(act: Callable[[], object], repeats: int) -> float:
    """The median CPU time of this process; what other processes do for it does not count."""
    act()  # The first is not like the others.
    return statistics.median(_once(act) for _ in range(repeats))


def _once(act: Callable[[], object]) -> float:
    started_s = time.process_time()
    act()
    return (time.process_time() - started_s) * 1000
