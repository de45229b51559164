from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.readings.merging.reading_index import COPIES_MAX, ReadingIndex
from bg_ingest.readings.merging.revisions import first_version
from bg_ingest.readings.stored_reading import Copy
from tests.unit.readings.made_up import LATER, PHONE, QUICK, RECEIVER, SILENT, at, measured, wild_records

if TYPE_CHECKING:
    from bg_ingest.readings.model import Reading


def put(shelf: ReadingIndex, record: Reading) -> None:
    """Place a record as merging does."""
    place = shelf.place_of(record)
    if place is None:
        shelf.add(first_version(record, LATER, LATER))
        place = record.at
    shelf.note(place, Copy(record.device, record.at, record.transmitter_ticks))


def test_the_measurement_goes_before_the_second() -> None:
    """A copy belongs to its measurement, even when another one was made in the second it says."""
    shelf = ReadingIndex([])
    put(shelf, measured(at(5, 0), ticks=1))
    put(shelf, measured(at(5, 40), ticks=2))

    assert shelf.place_of(measured(at(5, 40), device=RECEIVER, ticks=1)) == at(5, 0)


def test_a_copy_does_not_hide_the_next_measurement() -> None:
    """Only a record that does not say which measurement it is takes the second of a copy for its own."""
    shelf = ReadingIndex([])
    put(shelf, measured(at(5, 0), ticks=1))
    put(shelf, measured(at(5, 40), device=RECEIVER, ticks=1))

    assert shelf.place_of(measured(at(5, 40), ticks=2)) is None
    assert shelf.place_of(measured(at(5, 40), device=SILENT)) == at(5, 0)


def test_the_nearest_of_several() -> None:
    """Where ticks repeat, a copy goes to the reading it is nearest to."""
    shelf = ReadingIndex([])
    for second in (0, 160):
        put(shelf, measured(at(5, second), ticks=1))

    assert shelf.place_of(measured(at(5, 70), device=RECEIVER, ticks=1)) == at(5)
    assert shelf.place_of(measured(at(5, 90), device=RECEIVER, ticks=1)) == at(5, 160)
    assert shelf.place_of(measured(at(5, 311), device=RECEIVER, ticks=1)) is None


def test_how_far_apart_copies_may_be() -> None:
    """Half the time between two measurements, and not a second more, before and after."""
    shelf = ReadingIndex([])
    put(shelf, measured(at(5), ticks=1))

    assert shelf.place_of(measured(at(7, 30), device=RECEIVER, ticks=1)) == at(5)
    assert shelf.place_of(measured(at(2, 30), device=RECEIVER, ticks=1)) == at(5)
    assert shelf.place_of(measured(at(7, 31), device=RECEIVER, ticks=1)) is None
    assert shelf.place_of(measured(at(2, 29), device=RECEIVER, ticks=1)) is None


# Fewer distinct records at one instant or with one name than are noted: that limit is the other test's.
@QUICK
@given(st.lists(wild_records(spread_s=300), max_size=COPIES_MAX), st.data())
def test_a_record_stays_where_it_was_put(records: list[Reading], data: st.DataObject) -> None:
    """However much arrives after it, a record is found on the reading it was first placed on."""
    shelf = ReadingIndex([])
    places = []
    for record in records:
        put(shelf, record)
        places.append(shelf.place_of(record))
    kept = ReadingIndex(data.draw(st.permutations(shelf.readings())))  # As it comes back from the table.

    assert [shelf.place_of(record) for record in records] == places
    assert [kept.place_of(record) for record in records] == places
    assert all(place is not None for place in places)


def test_a_phone_notes_itself_never() -> None:
    """The record a reading was made of is not a copy of it."""
    shelf = ReadingIndex([])
    put(shelf, measured(at(5), device=PHONE))
    put(shelf, measured(at(5), 111, device=PHONE))

    assert shelf[at(5)].copies == ()


def test_notes_read_the_same_in_any_order() -> None:
    """Which copy came first is not what a note says."""
    one, other = ReadingIndex([]), ReadingIndex([])
    copies = [measured(at(5, n), device=RECEIVER, ticks=1) for n in (1, 2, 3)]
    for shelf, order in ((one, copies), (other, copies[::-1])):
        for record in (measured(at(5), ticks=1), *order):
            put(shelf, record)

    assert one.readings() == other.readings()
    assert len(one[at(5)].copies) == 3
