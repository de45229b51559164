from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.readings.gaps import INTERVAL
from bg_ingest.readings.merging.hour import merge_hours
from bg_ingest.readings.merging.identity import (
    CLOCKS_APART_MAX,
    COPIES_APART_MAX,
    PAIRS_MIN,
    STEADY,
    DeviceClocks,
    measurement_id,
    record_order,
    same_source,
)
from bg_ingest.readings.model import FIELDS, Device, Reading, ReadingField
from bg_ingest.readings.stored.stored_reading import Copy, Hour
from tests.unit.readings.made_up import (
    DEVICES,
    FIVE,
    LATER,
    MINUTE,
    PHONE,
    QUICK,
    RECEIVER,
    SECOND,
    SILENT,
    at,
    measured,
    wild_answers,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

    from bg_ingest.readings.stored.stored_reading import StoredReading


@pytest.mark.parametrize("part", ["generation", "display", "app", "transmitter"])
def test_missing_parts_do_not_make_another_source(part: str) -> None:
    """A part of the device that differs makes another source. A part that is missing does not."""
    ours = measured(at(5))
    silent = replace(ours, device=replace(PHONE, **{part: None}))
    other = replace(ours, device=replace(PHONE, **{part: "another"}))

    assert same_source(ours, silent)
    assert same_source(silent, other)
    assert not same_source(ours, other)


def test_phone_and_receiver_are_two_sources() -> None:
    """They only share the transmitter."""
    assert not same_source(measured(at(5), device=PHONE), measured(at(5), device=RECEIVER))
    assert same_source(measured(at(5), device=PHONE), measured(at(5), device=SILENT))


def test_a_measurement_id_needs_transmitter_and_ticks() -> None:
    """Zero ticks are ticks."""
    assert measurement_id(PHONE, 0) == ("transmitter-1", 0)
    assert measurement_id(PHONE, None) is None
    assert measurement_id(Device(), 7) is None


def test_copies_are_nearer_than_measurements() -> None:
    """If a transmitter repeats its ticks, two neighbouring measurements stay two readings."""
    assert COPIES_APART_MAX < INTERVAL


@pytest.mark.parametrize(
    "field", [field for field in FIELDS if not field.of_version], ids=lambda field: field.name
)
def test_records_that_differ_in_one_field_are_ordered(field: ReadingField) -> None:
    """The order never depends on which record comes first in an answer."""
    record = measured(at(5))
    other: dict[str, Any] = {
        "at": at(6),
        "mg_dl": 111,
        "trend_rate": 0.4,
        "local_offset_minutes": 60,
        "transmitter_ticks": 7,
        "device": SILENT,
    }
    changed = replace(record, **{field.name: other.get(field.name, "another")})

    assert (record_order(record) < record_order(changed)) is not (
        record_order(changed) < record_order(record)
    )


@QUICK
@given(wild_answers(), st.data())
def test_records_have_a_total_order(answer: list[Reading], data: st.DataObject) -> None:
    """Sorting gives the same list for each permutation, so the order of an answer does not matter."""
    assert {record.device for record in answer} <= set(DEVICES)
    assert sorted(answer, key=record_order) == sorted(data.draw(st.permutations(answer)), key=record_order)


WATCH = replace(PHONE, display="watch")


def reported(numbers: Iterable[int], device: Device, apart: timedelta = SECOND * 0) -> list[Reading]:
    """The measurements with these numbers, every five minutes, by a device with a clock of its own."""
    return [
        measured(FIVE + INTERVAL * n + apart + SECOND * (n % 2), 100 + n % 90, device, ticks=1_000 + n * 300)
        for n in numbers
    ]


def stored_after(*answers: Iterable[Reading]) -> list[StoredReading]:
    """The readings after the answers, with all hours at hand."""
    hours: dict[datetime, Hour] = {}
    for fetch, answer in enumerate(answers):
        moment = LATER + MINUTE * fetch
        hours = merge_hours(hours, answer, fetched_at=moment, stored_at=moment)
    return [stored for hour in hours.values() for stored in hour.readings]


def ticks(readings: Iterable[StoredReading]) -> list[int]:
    """The ticks of the readings, ascending."""
    return sorted(stored.reading.transmitter_ticks or 0 for stored in readings)


@pytest.mark.parametrize("apart_s", [155, -155, 299, 600, -897])
def test_clocks_minutes_apart_count_once(apart_s: int) -> None:
    """Phone and receiver report the same sixty measurements, in one answer or one after the other."""
    phone, receiver = reported(range(60), PHONE), reported(range(60), RECEIVER, SECOND * apart_s)

    for answers in ([phone, receiver], [receiver, phone], [phone + receiver]):
        readings = stored_after(*answers)
        assert len(readings) == 60
        assert all([copy.device for copy in stored.copies] for stored in readings)


def test_the_device_that_was_stored_first_is_served() -> None:
    """Also for the pairs that came before the difference of the clocks was known."""
    phone, receiver = reported(range(12), PHONE), reported(range(12), RECEIVER, SECOND * -155)
    one_by_one = [[record] for pair in zip(phone, receiver, strict=True) for record in pair]

    readings = stored_after(*one_by_one)
    assert [stored.reading.device for stored in readings] == [PHONE] * 12


def test_too_few_pairs_stay_apart() -> None:
    """Two pairs may differ by chance."""
    few = range(PAIRS_MIN - 1)
    assert len(stored_after(reported(few, PHONE), reported(few, RECEIVER, SECOND * 155))) == 2 * len(few)


def test_an_unsteady_difference_stays_apart() -> None:
    """Each pair has another difference, so the ticks are not enough."""
    receiver = [
        replace(record, at=record.at + STEADY * 3 * n)
        for n, record in enumerate(reported(range(6), RECEIVER, SECOND * 160))
    ]
    assert len(stored_after(reported(range(6), PHONE), receiver)) == 12


def test_one_device_that_repeats_its_ticks_stays_apart() -> None:
    """A transmitter that starts again has new measurements, with the ticks of earlier ones."""
    again = [replace(record, at=record.at + MINUTE * 10) for record in reported(range(2), PHONE)]
    stuck = [replace(record, transmitter_ticks=7) for record in reported(range(12), PHONE)]
    stuck_there = [replace(record, transmitter_ticks=7) for record in reported(range(12), RECEIVER, SECOND)]

    assert len(stored_after(reported(range(2), PHONE) + again)) == 4
    assert len(stored_after(stuck)) == 12
    assert len(stored_after(stuck, stuck_there)) == 12


def test_clocks_too_far_apart_stay_apart() -> None:
    """A device that is a quarter of an hour off has a wrong time, and its readings are kept."""
    for apart, count in ((CLOCKS_APART_MAX - SECOND, 12), (CLOCKS_APART_MAX + SECOND * 2, 24)):
        assert len(stored_after(reported(range(12), PHONE), reported(range(12), RECEIVER, apart))) == count


def test_a_clock_that_was_corrected_has_two_differences() -> None:
    """Each difference is steady by itself."""
    receiver = reported(range(6), RECEIVER, SECOND * 155) + reported(range(6, 12), RECEIVER, SECOND * 400)
    assert len(stored_after(reported(range(12), PHONE), receiver)) == 12


def test_the_difference_includes_its_limit() -> None:
    """A pair that differs from the others by STEADY agrees with them, and by a second more does not."""

    def sighting(device: Device, seconds: int, number: int) -> Copy:
        return Copy(device, FIVE + INTERVAL * number + SECOND * seconds, number)

    pairs = range(PAIRS_MIN)
    clocks = DeviceClocks(
        [*(sighting(PHONE, 0, n) for n in pairs), *(sighting(RECEIVER, 200, n) for n in pairs)]
    )
    limit = STEADY // SECOND

    for seconds, agrees in ((limit, True), (-limit, True), (limit + 1, False), (-limit - 1, False)):
        one, other = sighting(PHONE, 0, 9), sighting(RECEIVER, 200 + seconds, 9)
        assert clocks.agree(one, other) is clocks.agree(other, one) is agrees


def test_a_device_without_a_name_is_any_device() -> None:
    """It may be the same device, and one device has one clock."""
    unnamed = replace(SILENT, transmitter=PHONE.transmitter)
    assert len(stored_after(reported(range(12), PHONE), reported(range(12), unnamed, SECOND * 155))) == 24


# An offset of whole intervals puts two different measurements on one second, and a second has one reading.
offsets = st.integers(-890, 890).map(lambda s: s + 3 if min(s % 300, -s % 300) < 3 else s)


@QUICK
@given(st.data())
def test_any_devices_in_any_order_count_once(data: st.DataObject) -> None:
    """Up to three devices, each with its own clock; records come in any parts, in any order, repeatedly."""
    receiver_s, watch_s = data.draw(st.tuples(offsets, offsets).filter(lambda pair: pair_is_near(*pair)))
    phone = reported(range(18), PHONE)
    devices = [phone, reported(range(18), RECEIVER, SECOND * receiver_s)]
    if data.draw(st.booleans()):
        devices.append(reported(range(18), WATCH, SECOND * watch_s))
    records = data.draw(st.permutations([record for device in devices for record in device]))
    parts = data.draw(st.integers(1, len(records)))
    size = -(-len(records) // parts)

    readings = stored_after(*(records[first : first + size] for first in range(0, len(records), size)))
    assert ticks(readings) == [1_000 + n * 300 for n in range(18)]


def pair_is_near(one_s: int, other_s: int) -> bool:
    """Whether these two clocks are within the limit too, and not whole intervals apart."""
    apart_s = abs(one_s - other_s)
    return apart_s < CLOCKS_APART_MAX // SECOND - 4 and min(apart_s % 300, -apart_s % 300) >= 3


@QUICK
@given(st.data())
def test_different_measurements_are_never_merged(data: st.DataObject) -> None:
    """Each device has measurements that the other has not, with any clocks: all of them are kept."""
    receiver_s = data.draw(offsets)
    numbers = st.sets(st.integers(0, 30), max_size=20)
    ours, theirs = data.draw(numbers), data.draw(numbers)
    records = reported(ours, PHONE) + reported(theirs, RECEIVER, SECOND * receiver_s)

    readings = stored_after(*([record] for record in data.draw(st.permutations(records))))
    assert set(ticks(readings)) == {1_000 + n * 300 for n in ours | theirs}
    assert len(readings) <= len(records)
    assert stored_after(records, records) == stored_after(records)
