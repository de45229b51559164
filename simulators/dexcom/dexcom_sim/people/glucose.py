"""
Glucose level of a person at an instant: a pure function of the two.

    level = base + dawn rise + slow drift + every event of today and yesterday + sensor noise

An event (a meal, exercise, too much insulin) rises to its height and decays:

    height  |     .-.
            |   .'   '-.
            | .'        '--.._
            +-----+------------> time
              start  start + peak
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import exp
from typing import TYPE_CHECKING

from dexcom_sim.keyed_random import draw, smooth_noise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dexcom_sim.people.population import SimulatedPerson

DAY_S = 86_400
HOUR_S = 3_600
MINUTE_S = 60
# The range that levels are cut to. A sensor reports only 40 to 400 as numbers.
FLOOR_MG_DL, CEILING_MG_DL = 25.0, 560.0

# Salts of the random numbers, one per use.
_DRIFT, _NOISE, _GRAIN, _TIME, _SIZE, _SPEED, _OCCURS = range(1, 8)
# An event is ignored after this many times its peak; it is then below one percent of its height.
_EVENT_PEAKS_MAX = 8


@dataclass(frozen=True, slots=True)
class GlucoseEvent:
    """Something that raises glucose, or lowers it if the height is negative."""

    start_s: int  # In the body's own local time.
    peak_s: int
    height_mg_dl: float

    def effect(self, body_s: int) -> float:
        """The mg/dL it adds at that second of the body's local time."""
        share = (body_s - self.start_s) / self.peak_s
        if not 0.0 < share < _EVENT_PEAKS_MAX:
            return 0.0
        return self.height_mg_dl * share * exp(1.0 - share)


@lru_cache(maxsize=4096)
def glucose_events(person: SimulatedPerson, day: int) -> tuple[GlucoseEvent, ...]:
    """The meals, exercise and insulin errors of one day of the body's local time."""
    return tuple(_generated_events(person, day))


def _generated_events(person: SimulatedPerson, day: int) -> Iterator[GlucoseEvent]:
    body = person.physiology

    def chance(slot: int, salt: int = _OCCURS) -> float:
        return draw(person.seed, salt, day * 16 + slot)

    def event(slot: int, hour: float, height_mg_dl: float, peak_min: int) -> GlucoseEvent:
        start_s = day * DAY_S + int((hour + 1.5 * (chance(slot, _TIME) - 0.5)) * HOUR_S)
        peak_s = int(peak_min * (0.75 + 0.5 * chance(slot, _SPEED))) * MINUTE_S
        return GlucoseEvent(start_s, peak_s, height_mg_dl * (0.6 + 0.8 * chance(slot, _SIZE)))

    for slot, hour in enumerate((7.5, 12.5, 19.0)):
        factor = 3.5 if chance(slot) < body.missed_insulin else 1.0
        yield event(slot, hour, body.meal * factor, peak_min=55)
    if chance(3) < 0.4:
        yield event(3, 15.5, body.meal * 0.5, peak_min=35)
    if chance(4) < body.exercise:
        yield event(4, 17.0, -45.0, peak_min=50)
    if chance(5) < body.overcorrection:
        yield event(5, 21.5, -95.0, peak_min=50)
    if chance(6) < 0.12:  # Pressure on the sensor at night: a short, deep dip that is not in the blood.
        yield event(6, 2.5, -60.0, peak_min=12)


def glucose_mg_dl(person: SimulatedPerson, at_s: int) -> float:
    """The level at that second of Unix time, before the sensor rounds it and cuts it to its range."""
    body_s = at_s + person.body_offset_s
    day, second = divmod(body_s, DAY_S)
    level = person.physiology.base + person.physiology.dawn * exp(-(((second / HOUR_S - 7.0) / 2.5) ** 2))
    level += 18.0 * smooth_noise(person.seed, _DRIFT, at_s, 6 * HOUR_S)
    for event in glucose_events(person, day - 1):
        level += event.effect(body_s)
    for event in glucose_events(person, day):
        level += event.effect(body_s)
    level += 4.0 * smooth_noise(person.seed, _NOISE, at_s, 20 * MINUTE_S)
    level += 3.0 * (draw(person.seed, _GRAIN, at_s) - 0.5)
    return min(max(level, FLOOR_MG_DL), CEILING_MG_DL)
