from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bg_ingest.readings.stored.stored_reading import FoldedReading, Hour, hour_change, is_late, with_write
from tests.unit.readings.made_up import FIVE, LATER, MINUTE, RECEIVER, at, measured, merged


def test_hour_change_separates_stored_from_revised() -> None:
    """A new reading is stored, a changed one is revised, and an unchanged one is neither."""
    before = merged(Hour(FIVE), [measured(at(1), 110), measured(at(6), 120)])
    after = merged(before, [measured(at(6), 125), measured(at(11), 130)], LATER + MINUTE)
    change = hour_change(before, after)

    assert [stored.reading.mg_dl for stored in change.stored] == [130]
    assert [(one.before.reading.mg_dl, one.now.reading.mg_dl) for one in change.revised] == [(120, 125)]
    assert [[version.reading.mg_dl for version in one.added] for one in change.revised] == [[125]]
    assert change.removed == ()


def test_hour_change_names_removed_readings() -> None:
    """A reading that is only in the state before was removed."""
    before = merged(Hour(FIVE), [measured(at(1)), measured(at(6))])
    change = hour_change(before, Hour(FIVE, before.readings[:1]))

    assert change.removed == before.readings[1:]
    assert (change.stored, change.revised) == ((), ())


def test_a_new_copy_is_not_a_change() -> None:
    """The receiver's record of a measurement that the phone has reported changes the item, but no reading."""
    before = merged(Hour(FIVE), [measured(at(1))])
    after = merged(before, [measured(at(1), device=RECEIVER)], LATER + MINUTE)
    change = hour_change(before, after)

    assert after != before
    assert (change.stored, change.revised, change.removed) == ((), (), ())


@pytest.mark.parametrize("away", [timedelta(hours=24), -timedelta(hours=24)])
def test_a_write_more_than_a_day_away_is_late(away: timedelta) -> None:
    """A write to an hour that begins exactly 24 hours earlier or later is not late."""
    second = timedelta(seconds=1 if away > timedelta(0) else -1)

    assert not is_late(FIVE, FIVE + away)
    assert is_late(FIVE, FIVE + away + second)


def test_an_hour_records_its_last_48_writes() -> None:
    """Each write adds its time, in whole seconds, and the oldest one is forgotten."""
    hour = Hour(FIVE)
    times = [LATER + number * MINUTE for number in range(49)]
    for time in times:
        hour = with_write(hour, hour, time + timedelta(milliseconds=500))

    assert hour.writes == tuple(times[1:])


def test_an_hour_records_its_last_16_folded_readings() -> None:
    """A reading that became a copy is kept as it was, with the time of the write that removed it."""
    before = merged(Hour(FIVE), [measured(at(minute)) for minute in range(17)])
    after = with_write(before, replace(before, readings=()), LATER)

    assert after.folded == tuple(FoldedReading(stored, LATER) for stored in before.readings[1:])


def test_a_reading_that_lost_versions_is_not_revised() -> None:
    """A removal at the relay leaves fewer versions, or the same ones; no version is new."""
    first = merged(Hour(FIVE), [measured(at(1), 110)])
    both = merged(first, [measured(at(1), 115)], LATER + MINUTE)
    one_more = merged(both, [measured(at(1), 120)], LATER + 2 * MINUTE)

    assert len(hour_change(first, both).revised) == 1
    assert len(hour_change(both, one_more).revised) == 1
    assert hour_change(one_more, first).revised == ()
    assert hour_change(both, both).revised == ()
