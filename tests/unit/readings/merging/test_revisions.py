from __future__ import annotations

from bg_ingest.readings.merging.revisions import EARLIER_MAX, first_version, with_record
from bg_ingest.readings.stored_reading import StoredReading
from tests.unit.readings.made_up import LATER, MINUTE, SECOND, at, measured


def after(*fetches: tuple[int, int]) -> StoredReading:
    """A reading after fetches at these minutes said these values, saved in this order."""
    (minute, value), *rest = fetches
    stored = first_version(measured(at(5), value), LATER + MINUTE * minute, LATER)
    for saves, (minute, value) in enumerate(rest, start=1):
        fetched_at = LATER + MINUTE * minute
        stored = with_record(stored, measured(at(5), value), fetched_at, LATER + SECOND * saves)
    return stored


def values(stored: StoredReading) -> list[int]:
    """What it said, the served value last."""
    return [version.reading.mg_dl for version in stored.versions]


def test_the_drawing() -> None:
    """A repetition adds no version, a change does."""
    assert values(after((0, 110), (15, 110), (30, 112), (60, 112))) == [110, 112]


def test_saved_late() -> None:
    """An older fetch goes among the earlier versions and is not served."""
    assert values(after((0, 110), (30, 112), (20, 111))) == [110, 111, 112]
    assert values(after((30, 112), (0, 110))) == [110, 112]


def test_saved_late_and_not_new() -> None:
    """An older fetch that says what the fetch before it or after it said adds nothing."""
    assert after((0, 110), (30, 112), (20, 110)) == after((0, 110), (30, 112))
    assert after((0, 110), (30, 112), (20, 112)) == after((0, 110), (30, 112))


def test_saved_late_and_said_again_much_later() -> None:
    """Only the fetches next to it tell whether a late one said something new, not all that came after."""
    assert values(after((0, 110), (30, 112), (60, 115), (15, 115))) == [110, 115, 112, 115]


def test_the_rest_of_an_answer_saved_last() -> None:
    """Its own answer has settled the reading, whatever later fetches said."""
    assert values(after((0, 110), (15, 120), (30, 130), (15, 115))) == [110, 120, 130]


def test_nobody_knows_when_it_was_fetched() -> None:
    """Any fetch is newer, and what is not yet revised has no earlier version."""
    stored = StoredReading(measured(at(5), 110), LATER)
    revised = with_record(stored, measured(at(5), 112), LATER, LATER)

    assert (stored.revision, stored.earlier) == (0, ())
    assert values(revised) == [110, 112]


def test_when_a_measurement_became_known() -> None:
    """With its first version, however often it was revised, and in whatever order."""
    assert after((0, 110)).first_stored_at == LATER
    assert after((0, 110), (15, 112), (30, 115)).first_stored_at == LATER
    assert after((15, 110), (0, 112)).first_stored_at == LATER


def test_back_to_an_earlier_value() -> None:
    """A source may change its mind back; that is a revision like any other."""
    assert values(after((0, 110), (15, 112), (30, 110))) == [110, 112, 110]


def test_parts_of_one_answer() -> None:
    """Two contents with one fetch time are served in the fixed order, whichever part is saved first."""
    assert values(after((0, 112), (0, 110))) == [112]
    assert values(after((0, 110), (0, 112))) == [110, 112]


def test_each_version_keeps_its_times() -> None:
    """What was known at a time can be told from the versions."""
    stored = after((0, 110), (15, 112))

    assert [version.stored_at for version in stored.versions] == [LATER, LATER + SECOND]
    assert [version.fetched_at for version in stored.versions] == [LATER, LATER + MINUTE * 15]


def test_a_source_that_never_settles() -> None:
    """The versions stay few: the first ones and the newest, which is always served."""
    stored = after(*((minute, 100 + minute % 2) for minute in range(EARLIER_MAX + 10)))

    assert len(stored.earlier) == stored.revision == EARLIER_MAX
    assert stored.fetched_at == LATER + MINUTE * (EARLIER_MAX + 9)
    assert values(stored)[:3] == [100, 101, 100]
