"""The check after every fault detects each kind of flaw."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.faults.deployed.flaws import Shown, ShownDay, as_served, flaws, only_relayed
from tests.support.fakes import NOON

_EVERY = timedelta(minutes=5)
_HAD = [Shown(NOON + n * _EVERY, 100 + n, "flat") for n in range(12)]
_LATE = timedelta(seconds=7)
_DUE = NOON + 10 * _EVERY
_COMPLETE_DAY = ShownDay(NOON.date(), received=12, gaps=())


def test_complete_data_has_no_flaw() -> None:
    """Complete data has no flaw, and readings after the last call may be missing."""
    assert flaws(_HAD, _HAD, [_COMPLETE_DAY], _DUE) == []
    assert flaws(_HAD[:10], _HAD[::-1], [replace(_COMPLETE_DAY, received=10)], _DUE) == []


@pytest.mark.parametrize(
    ("served", "flaw"),
    [
        (_HAD[:4] + _HAD[5:], "missing"),
        (_HAD[:9], "missing"),
        (_HAD[:5] + _HAD[4:], "twice"),
        (_HAD[::-1], "out of order"),
        ([*_HAD[:4], replace(_HAD[4], mg_dl=99), *_HAD[5:]], "not the provider's"),
        ([*_HAD[:4], replace(_HAD[4], trend="singleUp"), *_HAD[5:]], "not the provider's"),
        ([*_HAD, Shown(NOON + timedelta(hours=2), 100, "flat")], "not the provider's"),
    ],
)
def test_wrongly_served_readings_are_flaws(served: list[Shown], flaw: str) -> None:
    """Each kind of wrong answer is detected: missing, duplicate, unordered, changed and invented readings."""
    assert flaws(served, _HAD, [_COMPLETE_DAY], _DUE) == [flaw]


@pytest.mark.parametrize(
    "day",
    [
        replace(_COMPLETE_DAY, received=9),
        replace(_COMPLETE_DAY, gaps=((NOON + 3 * _EVERY, NOON + 5 * _EVERY),)),
    ],
)
def test_a_day_that_contradicts_a_reading_is_a_flaw(day: ShownDay) -> None:
    """A day with a low count, or with a gap where a reading is, is a flaw."""
    assert flaws(_HAD, _HAD, [day], _DUE) == ["contradicted by its day"]


def test_a_gap_of_the_provider_is_not_a_flaw() -> None:
    """A gap in the provider's own data is not a flaw."""
    had = _HAD[:4] + _HAD[8:]
    day = ShownDay(NOON.date(), received=8, gaps=((_HAD[3].at, _HAD[8].at),))

    assert flaws(had, had, [day], _DUE) == []


def test_an_unpublished_reading_is_a_flaw() -> None:
    """With a broker every due reading must be published; later ones may be missing."""
    instants = {one.at for one in _HAD}

    assert flaws(_HAD, _HAD, [_COMPLETE_DAY], _DUE, instants - {_HAD[11].at}) == []
    assert flaws(_HAD, _HAD, [_COMPLETE_DAY], _DUE, instants - {_HAD[3].at}) == ["not published"]


def test_a_relayed_measurement_served_once_is_not_a_flaw() -> None:
    """A reading at the relay's instant is the provider's; one that only the relay has is expected as well."""
    relayed = [replace(one, at=one.at + _LATE) for one in _HAD[:6]]
    alone = Shown(NOON + timedelta(minutes=2), 90, "flat")
    served = [relayed[0], alone, relayed[1], *_HAD[2:]]
    had = as_served([*_HAD, *only_relayed([*relayed, alone], _HAD)], served)
    day = ShownDay(NOON.date(), received=13, gaps=((NOON - _EVERY, NOON + _LATE),))

    assert sorted(had, key=lambda one: one.at) == served
    assert flaws(served, had, [day], _DUE) == []


def test_a_measurement_of_two_sources_served_twice_is_a_flaw() -> None:
    """Both the provider's reading and its relayed copy are served."""
    served = [_HAD[0], replace(_HAD[0], at=NOON + _LATE), *_HAD[1:]]

    assert flaws(served, as_served(_HAD, served), [_COMPLETE_DAY], _DUE) == ["not the provider's"]


def test_a_missing_relayed_measurement_is_a_flaw() -> None:
    """Neither the provider's reading nor its relayed copy is served."""
    served = _HAD[:3] + _HAD[4:]

    assert flaws(served, as_served(_HAD, served), [_COMPLETE_DAY], _DUE) == ["missing"]
