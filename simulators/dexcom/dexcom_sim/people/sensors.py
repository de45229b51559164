"""
Times at which a sensor measures: every five minutes, with jitter, gaps and a new sensor every ten days.

    sensor k                                     sensor k + 1
    |<-- warm-up -->| . . . . .   gap  . . . . . |<-- warm-up -->| . . .
    start(k)                                     start(k + 1)

A transmitter counts the seconds since its start. These ticks identify a measurement even if a clock is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from dexcom_sim.keyed_random import digest, draw
from dexcom_sim.people.glucose import DAY_S, HOUR_S, MINUTE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dexcom_sim.people.population import SimulatedPerson

INTERVAL_S = 300
JITTER_S_MAX = 1
GAP_S_MAX = 3 * HOUR_S
_GAP_BLOCK_S = 6 * HOUR_S
_GAP_CHANCE = 0.06  # Per block of six hours: about one gap in four days.
_LOST_CHANCE = 0.004  # Single readings that are lost: about one a day.
_START_JITTER_S = 3 * HOUR_S

# Salts of the random numbers, one per use.
_START, _PHASE, _JITTER, _GAP, _GAP_AT, _GAP_LENGTH, _LOST = range(16, 23)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement: its time, its transmitter, and the transmitter's ticks."""

    at_s: int
    ticks: int
    transmitter: int


@lru_cache(maxsize=4096)
def sensor_start_s(person: SimulatedPerson, sensor: int) -> int:
    """The time at which the sensor with this number was inserted."""
    length_s = person.sensor_model.session_days * DAY_S
    jitter_s = int((2.0 * draw(person.seed, _START, sensor) - 1.0) * _START_JITTER_S)
    return sensor * length_s + int(draw(person.seed, _START, -1) * length_s) + jitter_s


def sensor_at(person: SimulatedPerson, at_s: int) -> int:
    """The number of the sensor that is worn at that second."""
    sensor = at_s // (person.sensor_model.session_days * DAY_S) + 1
    while sensor_start_s(person, sensor) > at_s:
        sensor -= 1
    return sensor


def measurements(person: SimulatedPerson, from_s: int, to_s: int) -> Iterator[Measurement]:
    """The measurements of [from_s, to_s), oldest first."""
    if from_s >= to_s:
        return
    for sensor in range(sensor_at(person, from_s - JITTER_S_MAX), sensor_at(person, to_s + JITTER_S_MAX) + 1):
        for measured in _measured_by(person, sensor, from_s, to_s):
            if from_s <= measured.at_s < to_s:
                yield measured


def _measured_by(person: SimulatedPerson, sensor: int, from_s: int, to_s: int) -> Iterator[Measurement]:
    transmitter = sensor - sensor % person.sensor_model.sensors_per_transmitter
    started_s = sensor_start_s(person, transmitter)
    # All sensors of a reliable user measure at the same seconds, so no gap lies between two sensors. None of
    # these seconds is near midnight, so each day has 288 readings. None is near the middle of five minutes:
    # each reading is alone in its slot, also if slots are rounded.
    drawn_s = int(draw(person.seed, _PHASE, transmitter) * INTERVAL_S)
    phase_s = (INTERVAL_S // 5 - started_s) % INTERVAL_S if person.reliable else drawn_s
    warm_up_s = 0 if person.reliable else person.sensor_model.warm_up_s
    warm_s = max(sensor_start_s(person, sensor) + warm_up_s, from_s - JITTER_S_MAX)
    removed_s = min(sensor_start_s(person, sensor + 1), to_s + JITTER_S_MAX + 1)
    first_ticks = phase_s - (started_s + phase_s - warm_s) // INTERVAL_S * INTERVAL_S
    for ticks in range(first_ticks, removed_s - started_s, INTERVAL_S):
        nominal_s = started_s + ticks
        if person.reliable or not _is_missing(person, nominal_s):
            yield Measurement(nominal_s + _jitter_s(person, nominal_s), ticks, transmitter)


def _jitter_s(person: SimulatedPerson, nominal_s: int) -> int:
    drawn = draw(person.seed, _JITTER, nominal_s)
    return -JITTER_S_MAX if drawn < 0.25 else JITTER_S_MAX if drawn >= 0.75 else 0


def _is_missing(person: SimulatedPerson, nominal_s: int) -> bool:
    if draw(person.seed, _LOST, nominal_s) < _LOST_CHANCE:
        return True
    block = nominal_s // _GAP_BLOCK_S
    return any(
        start_s <= nominal_s < end_s for start_s, end_s in (_gap(person, block), _gap(person, block - 1))
    )


@lru_cache(maxsize=4096)
def _gap(person: SimulatedPerson, block: int) -> tuple[int, int]:
    if draw(person.seed, _GAP, block) >= _GAP_CHANCE:
        return 0, 0
    start_s = int((block + draw(person.seed, _GAP_AT, block)) * _GAP_BLOCK_S)
    length_s = 10 * MINUTE_S + draw(person.seed, _GAP_LENGTH, block) ** 2 * (GAP_S_MAX - 10 * MINUTE_S)
    return start_s, start_s + int(length_s)


@lru_cache(maxsize=4096)
def transmitter_id(person: SimulatedPerson, transmitter: int) -> str:
    """The hash that Dexcom returns instead of the transmitter's serial number."""
    return digest("transmitter", person.seed, transmitter).hex()
