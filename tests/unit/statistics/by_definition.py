"""Every figure by its definition, slowly: the standard library only, and no line shared with the layer."""

# A reading is (unix seconds, mg/dL, offset in minutes or None). Loops are as naive as the definitions read.

from __future__ import annotations

import math
import statistics
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

Reading = tuple[int, int, int | None]

MIDNIGHT_1970 = datetime(1970, 1, 1, tzinfo=UTC)
ONE_DAY = timedelta(days=1)
EPISODES: tuple[tuple[str, Any], ...] = (
    ("below_70", lambda x: x < 70),
    ("below_54", lambda x: x < 54),
    ("above_180", lambda x: x > 180),
    ("above_250", lambda x: x > 250),
)
BANDS: tuple[tuple[str, Any], ...] = (
    ("very_low", lambda x: x < 54),
    ("low", lambda x: 54 <= x < 70),
    ("target", lambda x: 70 <= x <= 180),
    ("high", lambda x: 180 < x <= 250),
    ("very_high", lambda x: x > 250),
)


def local_time(reading: Reading) -> datetime:
    """What the person's clock showed."""
    return MIDNIGHT_1970 + timedelta(seconds=reading[0]) + timedelta(minutes=reading[2] or 0)


def slot(reading: Reading) -> int:
    """The five minutes that a reading belongs to."""
    return round(Fraction(reading[0], 300))


def statistics_by_definition(
    readings: list[Reading], first: date, last: date, now: datetime
) -> dict[str, Any]:
    """The answer to a request for statistics, without a comparison."""
    chosen = [reading for reading in readings if first <= local_time(reading).date() <= last]
    values = [reading[1] for reading in chosen]
    days = by_day(chosen, first, last, now)
    return {
        "from": first.isoformat(),
        "to": last.isoformat(),
        "readings": len(values),
        "low_readings": len([x for x in values if x == 39]),
        "high_readings": len([x for x in values if x == 401]),
        **sufficiency(days, first, last, now, chosen),
        **core(values),
        **bands(chosen),
        "gri": gri(values),
        "lbgi": mean([risk(x) if f(x) < 0 else 0.0 for x in values]),
        "hbgi": mean([risk(x) if f(x) > 0 else 0.0 for x in values]),
        "adrr": adrr(chosen),
        "modd_mg_dl": modd(chosen),
        "conga_mg_dl": {f"{hours}h": conga(chosen, hours) for hours in (1, 2, 4, 24)},
        "episodes": {name: episodes(chosen, beyond) for name, beyond in EPISODES},
        "by_day": days,
        "previous": None,
    }


def mean(values: list[float]) -> float | None:
    """The arithmetic mean; nothing of nothing."""
    return math.fsum(values) / len(values) if values else None


def dates(first: date, last: date) -> list[date]:
    """Every date of a range."""
    return [first + n * ONE_DAY for n in range((last - first).days + 1)]


def ends(chosen: list[Reading], day: date) -> tuple[datetime, datetime]:
    """Where a local day begins and ends in UTC."""
    own = [reading for reading in chosen if local_time(reading).date() == day]
    earlier = [local_time(reading).date() for reading in chosen if local_time(reading).date() < day]
    later = [local_time(reading).date() for reading in chosen if local_time(reading).date() > day]
    if own:
        at_start, at_end = own[0], own[-1]
    elif earlier:
        at_start = at_end = [reading for reading in chosen if local_time(reading).date() == max(earlier)][-1]
    elif later:
        at_start = at_end = next(reading for reading in chosen if local_time(reading).date() == min(later))
    else:
        at_start = at_end = (0, 0, 0)
    tomorrow = [reading for reading in chosen if local_time(reading).date() == day + ONE_DAY]
    if tomorrow and not own:
        at_end = tomorrow[0]
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return (
        midnight - timedelta(minutes=at_start[2] or 0),
        midnight + ONE_DAY - timedelta(minutes=at_end[2] or 0),
    )


def expected_slots(chosen: list[Reading], day: date, now: datetime) -> int:
    """The slots of a day that can have a reading by now."""
    start, end = ends(chosen, day)
    return max(0, round(Fraction((min(end, now) - start) / timedelta(seconds=1)) / 300))


def by_day(chosen: list[Reading], first: date, last: date, now: datetime) -> list[dict[str, Any]]:
    """The days of the range."""
    days = []
    for day in dates(first, last):
        own = [reading for reading in chosen if local_time(reading).date() == day]
        values = [reading[1] for reading in own]
        expected = expected_slots(chosen, day, now)
        received = len({slot(reading) for reading in own})
        days.append(
            {
                "date": day.isoformat(),
                "expected": expected,
                "received": received,
                "percent": 100 * received / expected if expected else None,
                "mean_mg_dl": statistics.mean(values) if values else None,
                "target_percent": percent(values, lambda x: 70 <= x <= 180),
            }
        )
    return days


def sufficiency(
    days: list[dict[str, Any]], first: date, last: date, now: datetime, chosen: list[Reading]
) -> dict[str, Any]:
    """How much was measured, and whether it is enough."""
    expected, received = sum(day["expected"] for day in days), sum(day["received"] for day in days)
    active = 100 * received / expected if expected else None
    begun = len([day for day in dates(first, last) if ends(chosen, day)[0] <= now])
    reasons = [] if begun >= 14 else [f"{begun} of 14 days"]
    if active is None or active < 70:
        shown = f"{active or 0:.1f}"
        reasons.append(f"{'69.9' if shown == '70.0' else shown} % of 70 %")
    return {
        "slots": {"expected": expected, "received": received},
        "active_percent": active,
        "sufficient": begun >= 14 and active is not None and active >= 70,
        "reasons": reasons,
    }


def quantile(values: list[int], p: Fraction) -> float:
    """Type 7: linear between the two neighbours of the place (n - 1) p."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * p
    whole = math.floor(place)
    following = ordered[min(whole + 1, len(ordered) - 1)]
    return float(ordered[whole] + (place - whole) * (following - ordered[whole]))


def core(values: list[int]) -> dict[str, Any]:
    """Mean, spread and what follows from them."""
    names = ("mean_mg_dl", "median_mg_dl", "iqr_mg_dl", "min_mg_dl", "max_mg_dl", "gmi_percent")
    figures: dict[str, Any] = dict.fromkeys((*names, "gmi_mmol_mol", "sd_mg_dl", "cv_percent", "j_index"))
    if values:
        average = float(statistics.mean([Fraction(x) for x in values]))
        figures["mean_mg_dl"] = average
        figures["median_mg_dl"] = statistics.median(values)
        figures["iqr_mg_dl"] = quantile(values, Fraction(3, 4)) - quantile(values, Fraction(1, 4))
        figures["min_mg_dl"], figures["max_mg_dl"] = min(values), max(values)
        figures["gmi_percent"] = 3.31 + 0.02392 * average
        figures["gmi_mmol_mol"] = 12.71 + 4.70587 * average / 18.01559
    if len(values) >= 2:
        sd = math.sqrt(statistics.variance([Fraction(x) for x in values]))
        figures["sd_mg_dl"], figures["cv_percent"] = sd, 100 * sd / average
        figures["j_index"] = 0.001 * (average + sd) ** 2
    return figures


def percent(values: list[int], within: Any) -> float | None:
    """The share of the values."""
    return 100 * len([x for x in values if within(x)]) / len(values) if values else None


def bands(chosen: list[Reading]) -> dict[str, Any]:
    """The bands, and the cumulative shares."""
    values = [reading[1] for reading in chosen]
    return {
        "bands": {
            name: {
                "percent": percent(values, within),
                "minutes": 5 * len({slot(r) for r in chosen if within(r[1])}) if values else None,
            }
            for name, within in BANDS
        },
        "below_70_percent": percent(values, lambda x: x < 70),
        "above_180_percent": percent(values, lambda x: x > 180),
        "tight_70_140_percent": percent(values, lambda x: 70 <= x <= 140),
        "pregnancy_63_140_percent": percent(values, lambda x: 63 <= x <= 140),
    }


def gri(values: list[int]) -> dict[str, Any]:
    """Klonoff 2022, from the disjoint bands."""
    if not values:
        return {"value": None, "hypo": None, "hyper": None, "zone": None}
    share = {
        name: Fraction(100 * len([x for x in values if within(x)]), len(values)) for name, within in BANDS
    }
    weights = {"very_low": 30, "low": 24, "target": 0, "high": 8, "very_high": 16}
    value = min(Fraction(100), sum((weights[name] * share[name] / 10 for name in weights), Fraction(0)))
    zones = ((20, "A"), (40, "B"), (60, "C"), (80, "D"), (100, "E"))
    return {
        "value": float(value),
        "hypo": float(share["very_low"] + share["low"] * 4 / 5),
        "hyper": float(share["very_high"] + share["high"] / 2),
        "zone": next(zone for edge, zone in zones if value <= edge),
    }


def f(x: int) -> float:
    """Kovatchev's transformation."""
    return float(1.509 * (math.log(x) ** 1.084 - 5.381))


def risk(x: int) -> float:
    """What a value adds to LBGI or HBGI."""
    return 10 * f(x) ** 2


def adrr(chosen: list[Reading]) -> dict[str, Any]:
    """The mean over the days with readings of the day's greatest low risk plus its greatest high risk."""
    days: dict[date, list[int]] = {}
    for reading in chosen:
        days.setdefault(local_time(reading).date(), []).append(reading[1])
    ranges = [
        max([risk(x) for x in values if f(x) < 0], default=0.0)
        + max([risk(x) for x in values if f(x) > 0], default=0.0)
        for values in days.values()
    ]
    return {"value": mean(ranges), "days": len(ranges)}


def pairs(chosen: list[Reading], lag: int) -> list[tuple[int, int]]:
    """A value and the one `lag` slots before, of the first readings of their slots."""
    grid: dict[int, int] = {}
    for reading in chosen:
        if slot(reading) not in grid:
            grid[slot(reading)] = reading[1]
    return [(grid[s], grid[s - lag]) for s in sorted(grid) if s - lag in grid]


def modd(chosen: list[Reading]) -> dict[str, Any]:
    """The mean of daily differences."""
    of_a_day = pairs(chosen, 288)
    return {"value": mean([float(abs(x - y)) for x, y in of_a_day]), "pairs": len(of_a_day)}


def conga(chosen: list[Reading], hours: int) -> dict[str, Any]:
    """The sample SD of the differences to some hours before."""
    differences = [Fraction(x - y) for x, y in pairs(chosen, 12 * hours)]
    value = math.sqrt(statistics.variance(differences)) if len(differences) >= 2 else None
    return {"value": value, "pairs": len(differences)}


def episodes(chosen: list[Reading], beyond: Any) -> dict[str, Any]:
    """The episodes beyond a threshold: readings are cut at gaps, then each piece is searched."""
    if not chosen:
        return {"count": None, "mean_minutes": None}
    timed = [(5 * slot(reading), beyond(reading[1])) for reading in chosen]
    pieces = [[timed[0]]]
    for one, other in pairwise(timed):
        if other[0] - one[0] > 45:
            pieces.append([])
        pieces[-1].append(other)
    minutes = [found for piece in pieces for found in episodes_of_piece(piece)]
    return {"count": len(minutes), "mean_minutes": sum(minutes) / len(minutes) if minutes else None}


def episodes_of_piece(piece: list[tuple[int, bool]]) -> list[int]:  # noqa: C901 - as the definition reads.
    """Minutes of each episode in readings that no gap divides."""
    found: list[int] = []
    opening: int | None = None
    first_back: int | None = None
    for minute, is_beyond in piece:
        if opening is None:
            if is_beyond:
                opening, first_back = minute, None
        elif is_beyond:
            first_back = None
        elif first_back is None and minute - opening < 15:
            opening = None
        elif first_back is None:
            first_back = minute
        elif minute - first_back >= 10:
            found.append(first_back - opening)
            opening = None
    if opening is not None:
        end = piece[-1][0] + 5 if first_back is None else first_back
        if end - opening >= 15:
            found.append(end - opening)
    return found


def profile_by_definition(
    readings: list[Reading], first: date, last: date, now: datetime, bin_minutes: int
) -> dict[str, Any]:
    """The answer to a request for a glucose profile."""
    chosen = [reading for reading in readings if first <= local_time(reading).date() <= last]
    enough = sufficiency(by_day(chosen, first, last, now), first, last, now, chosen)
    bins, smoothed = [], []
    raw: dict[int, dict[str, float | None]] = {}
    for minute in range(0, 1440, bin_minutes):
        values = [
            reading[1]
            for reading in chosen
            if minute <= local_time(reading).hour * 60 + local_time(reading).minute < minute + bin_minutes
        ]
        raw[minute] = {
            f"p{p}": quantile(values, Fraction(p, 100)) if values else None for p in (5, 25, 50, 75, 95)
        }
        bins.append({"minute": minute, "n": len(values), **raw[minute]})
    for minute, curves in raw.items():
        before, after = raw[(minute - bin_minutes) % 1440], raw[(minute + bin_minutes) % 1440]
        smoothed.append({"minute": minute, **{p: smooth(before[p], curves[p], after[p]) for p in curves}})
    return {
        "from": first.isoformat(),
        "to": last.isoformat(),
        "bin_minutes": bin_minutes,
        "readings": len(chosen),
        "sufficient": enough["sufficient"],
        "reasons": enough["reasons"],
        "bins": bins,
        "smoothed": smoothed,
    }


def smooth(a: float | None, b: float | None, c: float | None) -> float | None:
    """One bin of a smoothed curve."""
    if b is None or (a is None and c is None):
        return b
    if a is None or c is None:
        neighbour = c if a is None else a
        assert neighbour is not None
        return (4 * b + neighbour) / 5
    return (a + 4 * b + c) / 6
