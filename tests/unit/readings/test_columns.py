from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.readings.model import Columns, Device, Reading, served_values
from bg_ingest.readings.stored.stored_reading import HourColumns, SharedValue, StoredReading, to_columns
from tests.unit.readings.made_up import FIVE, LATER, MINUTE, PHONE, SIX, at, measured

_RELAY = Device(display="xDrip", relay="a-relay")
slices = st.slices(6)


@given(st.integers(0, 5), slices)
def test_it_is_a_list_of_equal_members(length: int, part: slice) -> None:
    """Length, members, parts and equality are those of a list."""
    shared, plain = SharedValue("x", length), ["x"] * length

    assert list(shared) == plain
    assert shared == plain
    assert shared[part] == plain[part]
    assert list(reversed(shared)) == plain
    assert shared.count("x") == length
    assert (len(shared), bool(shared)) == (length, bool(plain))
    assert (shared == ["y"] * length) is (length == 0)


def test_an_index_is_within_the_length() -> None:
    """As of a list."""
    shared = SharedValue(7, 2)

    assert (shared[0], shared[-1]) == (7, 7)
    with pytest.raises(IndexError):
        shared[2]


def test_the_value_is_not_in_its_repr() -> None:
    """It may be health data."""
    assert "110" not in repr(SharedValue(110, 3))


# Some minutes of the hour, oldest first, and whether each reading was relayed.
_minutes = st.lists(st.integers(0, 59), unique=True, max_size=8).map(sorted)
_hours = _minutes.flatmap(
    lambda minutes: st.tuples(
        st.just(minutes), st.lists(st.booleans(), min_size=len(minutes), max_size=len(minutes))
    )
)


def _stored(hour: tuple[list[int], list[bool]]) -> list[StoredReading]:
    return [
        StoredReading(measured(at(minute), 100 + minute, _RELAY if relayed else PHONE), LATER)
        for minute, relayed in zip(*hour, strict=True)
    ]


@given(_hours)
def test_columns_have_the_served_fields_of_each_reading(hour: tuple[list[int], list[bool]]) -> None:
    """One entry per reading in each column; the instant as seconds of the hour."""
    readings = _stored(hour)
    columns = to_columns(FIVE, readings)

    assert len(columns) == len(readings)
    assert columns.instants == [stored.reading.at for stored in readings]
    assert list(columns.columns.seconds) == [60 * minute for minute in hour[0]]
    assert all(type(second) is int for second in columns.columns.seconds)
    rows = list(zip(*columns.columns[1:], strict=True)) if readings else []
    assert rows == [served_values(stored)[1:] for stored in readings]


@given(_hours)
def test_own_instants_leave_out_relayed_readings(hour: tuple[list[int], list[bool]]) -> None:
    """Also where all readings of the hour have one device, which is stored once."""
    minutes, relayed = hour
    own = [at(minute) for minute, passed_on in zip(minutes, relayed, strict=True) if not passed_on]
    columns = to_columns(FIVE, _stored(hour))

    assert columns.own_instants == own
    for device in (PHONE, _RELAY):
        shared = SharedValue(device, len(minutes))
        of_one = HourColumns(FIVE, columns.columns._replace(device=shared))
        assert of_one.own_instants == (columns.instants if device is PHONE else [])


@given(_hours, st.integers(-90, 120), st.integers(-90, 120))
def test_within_has_the_readings_of_the_range(
    hour: tuple[list[int], list[bool]], first: int, end: int
) -> None:
    """Its start is included and its end is not; the range may begin before the hour and end after it."""
    start, end = min(first, end), max(first, end)
    columns = to_columns(FIVE, _stored(hour))
    part = columns.within(at(start), at(end))

    assert part.instants == [instant for instant in columns.instants if at(start) <= instant < at(end)]
    assert part.start == FIVE
    assert {len(column) for column in part.columns} == {len(part)}
    assert columns.within(FIVE, SIX) is columns


def test_a_part_has_the_order_of_its_slice() -> None:
    """A page of the newest readings is read backwards."""
    columns = to_columns(FIVE, _stored(([1, 2, 3], [False, True, False])))
    backwards = columns.part(slice(None, None, -1))

    assert backwards.instants == [at(3), at(2), at(1)]
    assert backwards.columns.mg_dl == [103, 102, 101]
    assert to_columns(FIVE, []) == HourColumns(FIVE, Columns._make([] for _ in Columns._fields))


def _versions(*devices: Device) -> StoredReading:
    """A reading with one version per device, each a minute after the one before."""
    stored = StoredReading(Reading(at(1), 110, device=devices[0]), LATER, fetched_at=LATER)
    for number, device in enumerate(devices[1:], start=1):
        then = LATER + number * MINUTE
        stored = replace(
            stored,
            reading=Reading(at(1), 110 + number, device=device),
            earlier=stored.versions,
            revision=number,
            stored_at=then,
            fetched_at=then,
        )
    return stored


@pytest.mark.parametrize(
    ("devices", "count"),
    [
        ([PHONE], 0),
        ([_RELAY], 0),
        ([_RELAY, _RELAY], 0),
        ([_RELAY, PHONE], 1),
        ([_RELAY, _RELAY, PHONE], 2),
        ([PHONE, PHONE], 0),
    ],
)
def test_relayed_versions_count_if_the_served_one_is_own(devices: list[Device], count: int) -> None:
    """They come before the own versions, whenever they were fetched."""
    assert _versions(*devices).relayed_versions == count


def test_dropped_versions_count_with_the_newest_one() -> None:
    """When a dropped version was stored is not known: it counts as soon as the newest one does."""
    stored = replace(_versions(PHONE, PHONE, PHONE), revision=7)
    first, second, third = stored.versions

    assert stored.dropped == 5
    assert stored.restricted([first]).revision == 0
    assert stored.restricted([first, second]).revision == 1
    assert stored.restricted([first, second, third]) == stored
    assert stored.restricted([third]).revision == 5
    assert stored.restricted([first, second]).versions == (first, second)
    assert stored.first_stored_at == LATER
    assert third.stored_at - first.stored_at == timedelta(minutes=2)
