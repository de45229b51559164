from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.readings.merging.identity import DeviceClocks
from bg_ingest.readings.merging.reading_index import COPIES_MAX, ReadingIndex
from bg_ingest.readings.merging.revisions import first_version
from bg_ingest.readings.stored.stored_reading import Copy
from tests.unit.readings.made_up import LATER, PHONE, QUICK, RECEIVER, SILENT, at, measured, wild_records

if TYPE_CHECKING:
    from bg_ingest.readings.model import Reading

NO_CLOCKS = DeviceClocks([])


def put(index: ReadingIndex, record: Reading) -> None:
    """Place a record as `merge_hours` does."""
    place = index.place_of(record)
    if place is None:
        index.add(first_version(record, LATER, LATER))
        place = record.at
    index.note(place, Copy(record.device, record.at, record.transmitter_ticks))


def test_the_measurement_id_goes_before_the_instant() -> None:
    """A record belongs to its measurement, also if another measurement has its instant."""
    index = ReadingIndex([], NO_CLOCKS)
    put(index, measured(at(5, 0), ticks=1))
    put(index, measured(at(5, 40), ticks=2))

    assert index.place_of(measured(at(5, 40), device=RECEIVER, ticks=1)) == at(5, 0)


def test_a_copy_does_not_hide_the_next_measurement() -> None:
    """Only a record without a measurement id is matched by the instant of a copy."""
    index = ReadingIndex([], NO_CLOCKS)
    put(index, measured(at(5, 0), ticks=1))
    put(index, measured(at(5, 40), device=RECEIVER, ticks=1))

    assert index.place_of(measured(at(5, 40), ticks=2)) is None
    assert index.place_of(measured(at(5, 40), device=SILENT)) == at(5, 0)


def test_repeated_ticks_match_the_nearest_reading() -> None:
    """If two readings have the same ticks, a copy belongs to the nearer one."""
    index = ReadingIndex([], NO_CLOCKS)
    for second in (0, 160):
        put(index, measured(at(5, second), ticks=1))

    assert index.place_of(measured(at(5, 70), device=RECEIVER, ticks=1)) == at(5)
    assert index.place_of(measured(at(5, 90), device=RECEIVER, ticks=1)) == at(5, 160)
    assert index.place_of(measured(at(5, 311), device=RECEIVER, ticks=1)) is None


def test_copies_are_at_most_half_an_interval_apart() -> None:
    """150 seconds before and after, and not a second more."""
    index = ReadingIndex([], NO_CLOCKS)
    put(index, measured(at(5), ticks=1))

    assert index.place_of(measured(at(7, 30), device=RECEIVER, ticks=1)) == at(5)
    assert index.place_of(measured(at(2, 30), device=RECEIVER, ticks=1)) == at(5)
    assert index.place_of(measured(at(7, 31), device=RECEIVER, ticks=1)) is None
    assert index.place_of(measured(at(2, 29), device=RECEIVER, ticks=1)) is None


# At most COPIES_MAX records, so that all copies are noted.
@QUICK
@given(st.lists(wild_records(spread_s=300), max_size=COPIES_MAX), st.data())
def test_a_record_stays_where_it_was_put(records: list[Reading], data: st.DataObject) -> None:
    """A record is found on the reading on which it was placed first, also after other records."""
    index = ReadingIndex([], NO_CLOCKS)
    places = []
    for record in records:
        put(index, record)
        places.append(index.place_of(record))
    kept = ReadingIndex(
        data.draw(st.permutations(index.readings())), NO_CLOCKS
    )  # The same readings after they were stored and read.

    assert [index.place_of(record) for record in records] == places
    assert [kept.place_of(record) for record in records] == places
    assert all(place is not None for place in places)


def test_the_own_record_of_a_reading_is_not_a_copy() -> None:
    """The same device, instant and ticks again add no copy."""
    index = ReadingIndex([], NO_CLOCKS)
    put(index, measured(at(5), device=PHONE))
    put(index, measured(at(5), 111, device=PHONE))

    assert index[at(5)].copies == ()


def test_copies_are_noted_in_a_fixed_order() -> None:
    """The copies do not depend on which of them came first."""
    one, other = ReadingIndex([], NO_CLOCKS), ReadingIndex([], NO_CLOCKS)
    copies = [measured(at(5, n), device=RECEIVER, ticks=1) for n in (1, 2, 3)]
    for index, order in ((one, copies), (other, copies[::-1])):
        for record in (measured(at(5), ticks=1), *order):
            put(index, record)

    assert one.readings() == other.readings()
    assert len(one[at(5)].copies) == 3
