from __future__ import annotations

from bg_ingest.readings.stored.stored_reading import Hour, hour_change
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
