"""Glycaemic bands: time below, in and above range, and the Glycemia Risk Index."""

#   mg/dL      54          70                    180           250
#   very low    |    low    |       target        |    high     |  very high
#   x < 54      54 <= x < 70     70 <= x <= 180     180 < x <= 250   x > 250

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bg_ingest.statistics.series import SLOT_MINUTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bg_ingest.statistics.series import LocalReadings

BANDS = ("very_low", "low", "target", "high", "very_high")
VERY_LOW, LOW, HIGH, VERY_HIGH = 54, 70, 180, 250
_TIGHT = (70, 140)
_PREGNANCY = (63, 140)
_ZONES = ("A", "B", "C", "D", "E")


@dataclass(frozen=True, slots=True)
class Band:
    """The share of the readings in a band, and the time of the slots that have one; None without readings."""

    percent: float | None
    minutes: int | None


@dataclass(frozen=True, slots=True)
class Gri:
    """Glycemia Risk Index, its two components and its zone; None without readings."""

    value: float | None = None
    hypo: float | None = None
    hyper: float | None = None
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class Ranges:
    """Percent of the readings below, in and above range; None without readings."""

    bands: dict[str, Band]
    below_70_percent: float | None
    above_180_percent: float | None
    tight_70_140_percent: float | None
    pregnancy_63_140_percent: float | None
    gri: Gri


def band_of(mg_dl: int) -> str:
    """The one band that a value lies in."""
    if mg_dl < LOW:
        return "very_low" if mg_dl < VERY_LOW else "low"
    if mg_dl <= HIGH:
        return "target"
    return "high" if mg_dl <= VERY_HIGH else "very_high"


def ranges(readings: LocalReadings, counts: Counter[int]) -> Ranges:
    """The bands of some readings, whose values `counts` has counted."""
    number = counts.total()
    if not number:
        return Ranges(dict.fromkeys(BANDS, Band(None, None)), None, None, None, None, Gri())
    band = {value: band_of(value) for value in counts}
    in_band: Counter[str] = Counter()
    for value, count in counts.items():
        in_band[band[value]] += count
    # A slot with readings in two bands counts in both.
    slots = Counter(name for _, name in set(zip(readings.slots, map(band.get, readings.mg_dl), strict=True)))
    return Ranges(
        bands={name: Band(100 * in_band[name] / number, SLOT_MINUTES * slots[name]) for name in BANDS},
        below_70_percent=100 * (in_band["very_low"] + in_band["low"]) / number,
        above_180_percent=100 * (in_band["very_high"] + in_band["high"]) / number,
        tight_70_140_percent=_percent_within(counts, *_TIGHT),
        pregnancy_63_140_percent=_percent_within(counts, *_PREGNANCY),
        gri=_gri(in_band, number),
    )


def target_percent(mg_dl: Sequence[int]) -> float | None:
    """The share of values in target, both ends included."""
    return 100 * sum(LOW <= value <= HIGH for value in mg_dl) / len(mg_dl) if mg_dl else None


def _percent_within(counts: Counter[int], least: int, most: int) -> float:
    return 100 * sum(count for value, count in counts.items() if least <= value <= most) / counts.total()


def _gri(in_band: Counter[str], number: int) -> Gri:
    very_low, low, _, high, very_high = (in_band[name] for name in BANDS)
    # Ten times the weights 3.0, 2.4, 1.6 and 0.8: with integers a value on the edge of a zone is exact.
    tenfold = min(30 * very_low + 24 * low + 16 * very_high + 8 * high, 10 * number)
    # Zone A is 0 to 20, B is above 20 to 40, and so on: the upper edge belongs to the better zone.
    zone = max(-(-tenfold // (2 * number)), 1) - 1
    return Gri(
        value=10 * tenfold / number,
        hypo=10 * (10 * very_low + 8 * low) / number,
        hyper=10 * (10 * very_high + 5 * high) / number,
        zone=_ZONES[zone],
    )
