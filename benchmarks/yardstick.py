"""A fixed piece of work without code of this project, which measures the speed of the machine."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from dataclasses import dataclass

from benchmarks.measured import cpu_ms_of_each

# The time on the reference processor, on which the budgets were set: docs/decisions/tests.md.
REFERENCE_MS = 10.0
_RECORDS = 5_100
_REPEATS = 9


@dataclass(frozen=True, slots=True)
class _Record:
    at: str
    value: int
    device: str


class Yardstick:
    """Measured between the benchmarks, because the speed of a shared machine changes."""

    def __init__(self) -> None:
        self.samples_ms: list[float] = []

    def sample(self) -> None:
        """Take a sample."""
        self.samples_ms += cpu_ms_of_each([_work], _REPEATS)

    @property
    def slowness(self) -> float:
        """Return how many times slower than the reference this machine is."""
        return statistics.median(self.samples_ms) / REFERENCE_MS

    def described(self) -> str:
        """Return the time here, its range, and the reference's."""
        middle = statistics.median(self.samples_ms)
        return (
            f"{middle:.1f} ms ({min(self.samples_ms):.1f} to {max(self.samples_ms):.1f} in this run); "
            f"the reference takes {REFERENCE_MS:.0f} ms, so this machine is slower by {self.slowness:.2f}"
        )


def _work() -> int:
    """Do typical work of a Python program: parse text, make objects, sort, group, and write text."""
    made = [
        {"at": f"{n * 7919 % _RECORDS:06}", "value": n % 400, "device": f"d{n % 3}"} for n in range(_RECORDS)
    ]
    records = sorted((_Record(**each) for each in json.loads(json.dumps(made))), key=lambda record: record.at)
    by_device: defaultdict[str, list[int]] = defaultdict(list)
    for record in records:
        by_device[record.device].append(record.value)
    lines = [f"{record.at},{record.value},{record.device}" for record in records]
    return len("\n".join(lines)) + sum(map(sum, by_device.values()))
