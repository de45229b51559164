"""The check after every fault notices whatever can be wrong; else it would prove nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.faults.deployed.judged import Shown, ShownDay, flaws
from tests.support.fakes import NOON

_EVERY = timedelta(minutes=5)
_HAD = [Shown(NOON + n * _EVERY, 100 + n, "flat") for n in range(12)]
_DUE = NOON + 10 * _EVERY
_WHOLE_DAY = ShownDay(NOON.date(), received=12, gaps=())


def test_whole() -> None:
    """Nothing is wrong with everything, and what came after the last call may still be on its way."""
    assert flaws(_HAD, _HAD, [_WHOLE_DAY], _DUE) == []
    assert flaws(_HAD[:10], _HAD[::-1], [replace(_WHOLE_DAY, received=10)], _DUE) == []


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
def test_what_is_served_wrongly(served: list[Shown], flaw: str) -> None:
    """Missing, doubled, mixed up, changed or made up."""
    assert flaws(served, _HAD, [_WHOLE_DAY], _DUE) == [flaw]


@pytest.mark.parametrize(
    "day",
    [
        replace(_WHOLE_DAY, received=9),
        replace(_WHOLE_DAY, gaps=((NOON + 3 * _EVERY, NOON + 5 * _EVERY),)),
    ],
)
def test_a_day_that_denies_a_reading(day: ShownDay) -> None:
    """It counts too few, or names a gap where there is a reading."""
    assert flaws(_HAD, _HAD, [day], _DUE) == ["denied by its day"]


def test_a_gap_that_the_provider_has_as_well() -> None:
    """Nobody wears a sensor at all times, and then completeness says so."""
    had = _HAD[:4] + _HAD[8:]
    day = ShownDay(NOON.date(), received=8, gaps=((_HAD[3].at, _HAD[8].at),))

    assert flaws(had, had, [day], _DUE) == []


def test_what_no_event_told() -> None:
    """Where somebody listens; what came after the last call may still be on its way."""
    instants = {one.at for one in _HAD}

    assert flaws(_HAD, _HAD, [_WHOLE_DAY], _DUE, instants - {_HAD[11].at}) == []
    assert flaws(_HAD, _HAD, [_WHOLE_DAY], _DUE, instants - {_HAD[3].at}) == ["not told"]
