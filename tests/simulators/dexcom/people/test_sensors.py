from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexcom_sim.people.population import SimulatedPerson, population
from dexcom_sim.people.sensors import (
    INTERVAL_S,
    JITTER_S_MAX,
    measurements,
    sensor_at,
    sensor_start_s,
    transmitter_id,
)

PEOPLE = population(1)
EVERYONE = pytest.mark.parametrize("person", PEOPLE.values(), ids=PEOPLE.keys())
DAY_S = 86_400
NOON_S = 1_777_204_800
INSTANTS = st.integers(NOON_S - 366 * DAY_S, NOON_S)


@given(st.sampled_from(sorted(PEOPLE)), INSTANTS, st.integers(0, DAY_S), st.integers(0, DAY_S))
def test_a_window_is_the_union_of_its_parts(user: str, from_s: int, first_s: int, second_s: int) -> None:
    """Two adjacent windows hold exactly the measurements of the whole window."""
    person = PEOPLE[user]
    cut_s, to_s = from_s + first_s, from_s + first_s + second_s

    whole = list(measurements(person, from_s, to_s))
    assert [*measurements(person, from_s, cut_s), *measurements(person, cut_s, to_s)] == whole


@given(st.sampled_from(sorted(PEOPLE)), INSTANTS, st.integers(-JITTER_S_MAX, JITTER_S_MAX + 1))
def test_no_measurement_is_lost_at_a_window_edge(user: str, from_s: int, off_s: int) -> None:
    """An edge at the second of a measurement, or beside it, neither loses nor doubles it."""
    person = PEOPLE[user]
    whole = list(measurements(person, from_s, from_s + DAY_S // 4))
    for measured in whole:
        cut_s = measured.at_s + off_s
        earlier, later = measurements(person, from_s, cut_s), measurements(person, cut_s, from_s + DAY_S // 4)
        assert [*earlier, *later] == whole


@given(st.sampled_from(sorted(PEOPLE)), INSTANTS)
def test_measurements_are_five_minutes_apart(user: str, from_s: int) -> None:
    """Two measurements of a transmitter are a multiple of five minutes apart, except for the jitter."""
    for before, after in pairwise(measurements(PEOPLE[user], from_s, from_s + DAY_S)):
        assert after.at_s > before.at_s
        if before.transmitter == after.transmitter:
            off_s = (after.at_s - before.at_s) - (after.ticks - before.ticks)
            assert (after.ticks - before.ticks) % INTERVAL_S == 0
            assert abs(off_s) <= 2 * JITTER_S_MAX


@EVERYONE
def test_nine_of_ten_measurements_are_there(person: SimulatedPerson) -> None:
    """A month has between 90 and 100 percent of 288 measurements a day, so there are gaps."""
    count = sum(1 for _ in measurements(person, NOON_S - 30 * DAY_S, NOON_S))

    assert 0.9 * 30 * 288 < count < 30 * 288


@EVERYONE
def test_a_sensor_measures_only_after_its_warm_up(person: SimulatedPerson) -> None:
    """After each change of the sensor there is no measurement during the warm-up."""
    for sensor in range(sensor_at(person, NOON_S - 60 * DAY_S), sensor_at(person, NOON_S)):
        start_s = sensor_start_s(person, sensor)
        warm_s = start_s + person.sensor_model.warm_up_s

        assert not list(measurements(person, start_s + JITTER_S_MAX, warm_s - JITTER_S_MAX))
        assert list(measurements(person, warm_s, warm_s + DAY_S))


@EVERYONE
def test_no_measurement_is_lost_at_a_sensor_change(person: SimulatedPerson) -> None:
    """A window that begins shortly before a change has the last measurements of the old sensor."""
    change_s = sensor_start_s(person, sensor_at(person, NOON_S))
    last = list(measurements(person, change_s - DAY_S, change_s + DAY_S // 24))
    for ahead_s in range(300):
        from_s = change_s - ahead_s
        there = [it for it in last if from_s <= it.at_s < change_s + 60]
        assert list(measurements(person, from_s, change_s + 60)) == there


@EVERYONE
def test_a_sensor_lasts_ten_or_fifteen_days(person: SimulatedPerson) -> None:
    """The session length differs by a few hours at most."""
    for sensor in range(1_700, 1_720):
        worn_s = sensor_start_s(person, sensor + 1) - sensor_start_s(person, sensor)
        assert abs(worn_s - person.sensor_model.session_days * DAY_S) <= DAY_S // 4


@given(st.sampled_from(sorted(PEOPLE)), INSTANTS)
def test_one_sensor_is_worn_at_a_time(user: str, at_s: int) -> None:
    """The current sensor was inserted before that time, and the next one is inserted after it."""
    sensor = sensor_at(PEOPLE[user], at_s)

    assert sensor_start_s(PEOPLE[user], sensor) <= at_s < sensor_start_s(PEOPLE[user], sensor + 1)


def test_a_g6_transmitter_is_used_for_several_sensors() -> None:
    """In 80 days a G6 uses at most two transmitters, a G7 eight or nine."""

    def transmitters(user: str) -> int:
        return len({it.transmitter for it in measurements(PEOPLE[user], NOON_S - 80 * DAY_S, NOON_S)})

    assert transmitters("SandboxUser1") <= 2
    assert 8 <= transmitters("SandboxUser7") <= 9


def test_ticks_identify_a_measurement() -> None:
    """No two measurements of a year have the same transmitter and ticks."""
    person = PEOPLE["SandboxUser8"]
    year = list(measurements(person, NOON_S - 365 * DAY_S, NOON_S))

    assert len({(it.transmitter, it.ticks) for it in year}) == len(year)
    assert all(it.ticks >= 0 for it in year)
    assert len(bytes.fromhex(transmitter_id(person, year[0].transmitter))) == 32


@given(INSTANTS)
def test_a_reliable_user_has_no_gap(from_s: int) -> None:
    """Every five minutes has its measurement, also while one sensor replaces another."""
    person = population(1, reliable=("SandboxUser7",))["SandboxUser7"]
    days = list(measurements(person, from_s, from_s + 11 * DAY_S))

    assert len({measured.transmitter for measured in days}) > 1
    assert all(after.at_s - before.at_s <= INTERVAL_S + 2 * JITTER_S_MAX for before, after in pairwise(days))
