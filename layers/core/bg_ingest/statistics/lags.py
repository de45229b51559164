"""Differences between readings some hours apart: MODD and CONGA."""

# Readings are put on a grid of slots: the first reading of each slot. A pair is a slot and the slot some
# hours before, if both have a reading. Nothing is interpolated.

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bg_ingest.statistics.distribution import sample_sd

if TYPE_CHECKING:
    from bg_ingest.statistics.series import LocalReadings

CONGA_HOURS = (1, 2, 4, 24)
_SLOTS_PER_HOUR = 12


@dataclass(frozen=True, slots=True)
class Paired:
    """A figure and the number of pairs that it comes from; None where there are too few."""

    value: float | None
    pairs: int


@dataclass(frozen=True, slots=True)
class Lags:
    """Mean of daily differences, and continuous overall net glycaemic action by hours."""

    modd_mg_dl: Paired
    conga_mg_dl: dict[int, Paired]


def lags(readings: LocalReadings) -> Lags:
    """MODD and CONGA of some readings."""
    # Backwards, because the last entry of a key wins.
    grid = dict(zip(reversed(readings.slots), reversed(readings.mg_dl), strict=True))
    differences = {hours: _differences(grid, hours * _SLOTS_PER_HOUR) for hours in CONGA_HOURS}
    return Lags(_modd(differences[24]), {hours: _conga(of_these) for hours, of_these in differences.items()})


def _differences(grid: dict[int, int], lag: int) -> list[int]:
    return [value - grid[slot - lag] for slot, value in grid.items() if slot - lag in grid]


def _modd(differences: list[int]) -> Paired:
    pairs = len(differences)
    return Paired(sum(map(abs, differences)) / pairs if pairs else None, pairs)


def _conga(differences: list[int]) -> Paired:
    squares = sum([each * each for each in differences])
    return Paired(sample_sd(len(differences), sum(differences), squares), len(differences))
