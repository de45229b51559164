from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dexcom_sim.people.glucose import CEILING_MG_DL, FLOOR_MG_DL, GlucoseEvent, glucose_events, glucose_mg_dl
from dexcom_sim.people.population import SimulatedPerson, population

PEOPLE = tuple(population(1).values())
NOON_S = 1_777_204_800
YEAR = st.integers(NOON_S - 366 * 86_400, NOON_S)


@given(st.sampled_from(PEOPLE), YEAR)
def test_glucose_is_a_function_of_person_and_time(person: SimulatedPerson, at_s: int) -> None:
    """The same person and time give the same level, within the range of levels."""
    level = glucose_mg_dl(person, at_s)

    assert level == glucose_mg_dl(person, at_s)
    assert FLOOR_MG_DL <= level <= CEILING_MG_DL


def test_glucose_changes_at_a_plausible_rate() -> None:
    """Between two readings the level changes by less than 100 mg/dL, and mostly by less than 10."""
    person = PEOPLE[0]
    levels = [glucose_mg_dl(person, at_s) for at_s in range(NOON_S - 14 * 86_400, NOON_S, 300)]
    steps = sorted(abs(after - before) for before, after in pairwise(levels))

    assert steps[-1] < 100.0
    assert steps[len(steps) // 2] < 10.0


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.name)
def test_each_user_is_mostly_in_a_plausible_range(person: SimulatedPerson) -> None:
    """The average of a month is plausible, and more than half of it is between 70 and 250 mg/dL."""
    levels = [glucose_mg_dl(person, at_s) for at_s in range(NOON_S - 30 * 86_400, NOON_S, 300)]

    assert 90.0 < sum(levels) / len(levels) < 230.0
    assert sum(70.0 <= level <= 250.0 for level in levels) > 0.5 * len(levels)


def test_users_have_different_glucose() -> None:
    """At the same times every user has other levels."""
    instants = range(NOON_S - 86_400, NOON_S, 3_600)

    assert len({tuple(glucose_mg_dl(person, at_s) for at_s in instants) for person in PEOPLE}) == len(PEOPLE)


def test_another_seed_gives_other_glucose() -> None:
    """The same user has other levels under another seed."""
    here, there = population(1)["SandboxUser1"], population(2)["SandboxUser1"]

    assert glucose_mg_dl(here, NOON_S) != glucose_mg_dl(there, NOON_S)


def test_an_event_rises_to_its_height_and_decays() -> None:
    """A meal of 60 mg/dL adds 0 before it, 60 at its peak, and less than 1 seven peaks later."""
    meal = GlucoseEvent(start_s=1_000, peak_s=3_600, height_mg_dl=60.0)

    assert meal.effect(999) == 0.0
    assert meal.effect(4_600) == 60.0
    assert 0.0 <= meal.effect(1_000 + 8 * 3_600) < 1.0


def test_each_day_has_three_meals() -> None:
    """Every day has at least three events that raise glucose."""
    for day in range(20_000, 20_030):
        assert sum(event.height_mg_dl > 0 for event in glucose_events(PEOPLE[0], day)) >= 3


def test_a_month_has_lows_and_highs() -> None:
    """In a month some levels are below 40 and some are above 400 mg/dL."""
    levels = [
        glucose_mg_dl(person, at_s)
        for person in PEOPLE[1:3]
        for at_s in range(NOON_S - 30 * 86_400, NOON_S, 300)
    ]

    assert min(levels) < 39.5
    assert max(levels) > 400.5
