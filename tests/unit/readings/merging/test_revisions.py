from __future__ import annotations

from dataclasses import replace

from bg_ingest.readings.merging.revisions import first_version, with_record
from bg_ingest.readings.stored.stored_reading import EARLIER_MAX, StoredReading
from tests.unit.readings.made_up import LATER, MINUTE, SECOND, at, measured


def after(*fetches: tuple[int, int]) -> StoredReading:
    """A reading after fetches of (minute, value), saved in this order."""
    (minute, value), *rest = fetches
    stored = first_version(measured(at(5), value), LATER + MINUTE * minute, LATER)
    for saves, (minute, value) in enumerate(rest, start=1):
        fetched_at = LATER + MINUTE * minute
        stored = with_record(stored, measured(at(5), value), fetched_at, LATER + SECOND * saves)
    return stored


def values(stored: StoredReading) -> list[int]:
    """The values of its versions, the served one last."""
    return [version.reading.mg_dl for version in stored.versions]


def test_a_repetition_adds_no_version() -> None:
    """The example of `with_record`."""
    assert values(after((0, 110), (15, 110), (30, 112), (60, 112))) == [110, 112]


def test_an_older_fetch_saved_late_is_not_served() -> None:
    """It becomes one of the earlier versions."""
    assert values(after((0, 110), (30, 112), (20, 111))) == [110, 111, 112]
    assert values(after((30, 112), (0, 110))) == [110, 112]


def test_a_late_repetition_adds_no_version() -> None:
    """A late fetch with the content of the fetch before or after it changes nothing."""
    assert after((0, 110), (30, 112), (20, 110)) == after((0, 110), (30, 112))
    assert after((0, 110), (30, 112), (20, 112)) == after((0, 110), (30, 112))


def test_a_late_fetch_is_compared_with_its_neighbours_only() -> None:
    """A later fetch with the same content, but others in between, does not make it a repetition."""
    assert values(after((0, 110), (30, 112), (60, 115), (15, 115))) == [110, 115, 112, 115]


def test_a_lower_content_of_one_answer_saved_last_is_dropped() -> None:
    """The higher content of the same answer counts, also after later fetches."""
    assert values(after((0, 110), (15, 120), (30, 130), (15, 115))) == [110, 120, 130]


def test_any_fetch_is_newer_than_an_unknown_fetch() -> None:
    """A reading without a fetch time has no earlier version and can be revised."""
    stored = StoredReading(measured(at(5), 110), LATER)
    revised = with_record(stored, measured(at(5), 112), LATER, LATER)

    assert (stored.revision, stored.earlier) == (0, ())
    assert values(revised) == [110, 112]


def test_first_stored_at_is_the_time_of_the_first_save() -> None:
    """Revisions do not change it, in any order of saving."""
    assert after((0, 110)).first_stored_at == LATER
    assert after((0, 110), (15, 112), (30, 115)).first_stored_at == LATER
    assert after((15, 110), (0, 112)).first_stored_at == LATER


def test_going_back_to_an_earlier_value_is_a_revision() -> None:
    """110, 112, 110 are three versions."""
    assert values(after((0, 110), (15, 112), (30, 110))) == [110, 112, 110]


def test_two_contents_with_one_fetch_time_have_an_order() -> None:
    """The higher content is served, whichever is saved first."""
    assert values(after((0, 112), (0, 110))) == [112]
    assert values(after((0, 110), (0, 112))) == [110, 112]


def test_each_version_keeps_its_times() -> None:
    """Each has the time at which it was fetched and the time at which it was stored."""
    stored = after((0, 110), (15, 112))

    assert [version.stored_at for version in stored.versions] == [LATER, LATER + SECOND]
    assert [version.fetched_at for version in stored.versions] == [LATER, LATER + MINUTE * 15]


def test_the_number_of_versions_is_limited() -> None:
    """The first versions are kept, and the newest, which is always served; `revision` counts all of them."""
    stored = after(*((minute, 100 + minute % 2) for minute in range(EARLIER_MAX + 10)))

    assert len(stored.earlier) == EARLIER_MAX
    assert stored.revision == EARLIER_MAX + 9
    assert stored.dropped == 9
    assert stored.fetched_at == LATER + MINUTE * (EARLIER_MAX + 9)
    assert values(stored)[:3] == [100, 101, 100]


def test_a_dropped_version_that_is_saved_again_changes_nothing() -> None:
    """A fetch from between the first versions and the newest is counted once only."""
    fetches = [(minute, 100 + minute) for minute in range(EARLIER_MAX + 10)]
    stored = after(*fetches)

    for minute, value in fetches:
        assert with_record(stored, measured(at(5), value), LATER + MINUTE * minute, LATER) == stored


def test_after_a_dropped_version_the_former_newest_is_dropped() -> None:
    """What is dropped always lies directly before the newest version, so `earlier` has no hole."""
    stored = after(*((minute, 100 + minute) for minute in range(6)))
    fewer = replace(stored, earlier=stored.earlier[:2])
    revised = with_record(fewer, measured(at(5), 120), LATER + MINUTE * 7, LATER)

    assert values(revised) == [100, 101, 120]
    assert (revised.revision, revised.dropped) == (6, 4)
