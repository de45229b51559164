"""
The glucose of a person at an instant, as a pure function of the two.

    level = base + dawn + slow drift + every event of today and yesterday + sensor noise

An event (a meal, a run, too much insulin) rises to its height and decays:

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

from dexcom_sim.noise import draw, wander

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dexcom_sim.people import Person

DAY_S = 86_400
HOUR_S = 3_600
MINUTE_S = 60
# What a sensor may see at all; it reports only 40 to 400 of it.
FLOOR_MG_DL, CEILING_MG_DL = 25.0, 560.0

# Each kind of draw has a number of its own, so that they do not move together.
_DRIFT, _NOISE, _GRAIN, _WHEN, _HOW_MUCH, _HOW_FAST, _WHETHER = range(1, 8)
# So many times its peak after its start, an event is below one percent of its height.
_EVENT_PEAKS_MAX = 8


@dataclass(frozen=True, slots=True)
class Event:
    """Something that moves glucose up or, with a negative height, down."""

    start_s: int  # On the body's own clock.
    peak_s: int
    height_mg_dl: float

    def effect(self, body_s: int) -> float:
        """How many mg/dL it adds at that second."""
        share = (body_s - self.start_s) / self.peak_s
        if not 0.0 < share < _EVENT_PEAKS_MAX:
            return 0.0
        return self.height_mg_dl * share * exp(1.0 - share)


@lru_cache(maxsize=4096)
def events_of(person: Person, day: int) -> tuple[Event, ...]:
    """What that person eats and does on that day of their own clock."""
    return tuple(_events_of(person, day))


def _events_of(person: Person, day: int) -> Iterator[Event]:
    body = person.body

    def chance(slot: int, salt: int = _WHETHER) -> float:
        return draw(person.seed, salt, day * 16 + slot)

    def event(slot: int, hour: float, height_mg_dl: float, peak_min: int) -> Event:
        start_s = day * DAY_S + int((hour + 1.5 * (chance(slot, _WHEN) - 0.5)) * HOUR_S)
        peak_s = int(peak_min * (0.75 + 0.5 * chance(slot, _HOW_FAST))) * MINUTE_S
        return Event(start_s, peak_s, height_mg_dl * (0.6 + 0.8 * chance(slot, _HOW_MUCH)))

    for slot, hour in enumerate((7.5, 12.5, 19.0)):
        forgotten = 3.5 if chance(slot) < body.forgets else 1.0
        yield event(slot, hour, body.meal * forgotten, peak_min=55)
    if chance(3) < 0.4:
        yield event(3, 15.5, body.meal * 0.5, peak_min=35)
    if chance(4) < body.moves:
        yield event(4, 17.0, -45.0, peak_min=50)
    if chance(5) < body.overcorrects:
        yield event(5, 21.5, -95.0, peak_min=50)
    if chance(6) < 0.12:  # Lying on the sensor: a short, deep dip at night that is not in the blood.
        yield event(6, 2.5, -60.0, peak_min=12)


def glucose_mg_dl(person: Person, at_s: int) -> float:
    """What the sensor would see at that second of Unix time, before it rounds and cuts off."""
    body_s = at_s + person.body_offset_s
    day, second = divmod(body_s, DAY_S)
    level = person.body.base + person.body.dawn * exp(-(((second / HOUR_S - 7.0) / 2.5) ** 2))
    level += 18.0 * wander(person.seed, _DRIFT, at_s, 6 * HOUR_S)
    for event in events_of(person, day - 1):
        level += event.effect(body_s)
    for event in events_of(person, day):
        level += event.effect(body_s)
    level += 4.0 * wander(person.seed, _NOISE, at_s, 20 * MINUTE_S)
    level += 3.0 * (draw(person.seed, _GRAIN, at_s) - 0.5)
    return min(max(level, FLOOR_MG_DL), CEILING_MG_DL)
