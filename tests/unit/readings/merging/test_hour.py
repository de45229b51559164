from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bg_ingest.readings.merging.hour import HOUR, Hour, hour_of, merge, merge_hours
from bg_ingest.readings.merging.reading_index import COPIES_MAX
from bg_ingest.readings.model import Device
from tests.unit.readings.made_up import (
    FIVE,
    LATER,
    MINUTE,
    PHONE,
    RECEIVER,
    SECOND,
    SIX,
    at,
    measured,
    merged,
    reported,
)


def test_a_new_reading_is_stored() -> None:
    """What nobody reported before is kept as it came, with the time it was stored."""
    hour, report = reported(Hour(FIVE), [measured(at(5), 120)])

    (stored,) = hour.readings
    assert (stored.reading.mg_dl, stored.stored_at, stored.revision) == (120, LATER + SECOND, 0)
    assert (report.stored, report.revised, report.duplicates, report.changed) == (1, 0, 0, True)


def test_an_hour_ends_where_the_next_begins() -> None:
    """And one that was never written has version 0, whatever was merged into it."""
    assert (hour_of(at(59, 59)), hour_of(at(60)), FIVE + HOUR) == (FIVE, SIX, SIX)
    assert merged(Hour(FIVE), [measured(at(5))]).version == 0


def test_a_reading_comes_back_changed() -> None:
    """The newest is served, and the old one stays with the time it was stored."""
    once = merged(Hour(FIVE), [measured(at(5), 120)])
    hour, report = reported(once, [measured(at(5), 125)], LATER + MINUTE)

    (stored,) = hour.readings
    assert (stored.reading.mg_dl, stored.revision, stored.stored_at) == (125, 1, LATER + MINUTE + SECOND)
    assert [(was.reading.mg_dl, was.stored_at) for was in stored.earlier] == [(120, LATER + SECOND)]
    assert stored.first_stored_at == LATER + SECOND
    assert (report.stored, report.revised, report.duplicates) == (0, 1, 0)


def test_a_new_record_id_is_not_a_revision() -> None:
    """Dexcom does not promise that record ids stay the same."""
    once = merged(Hour(FIVE), [replace(measured(at(5)), record_id="a")])
    again, report = reported(once, [replace(measured(at(5)), record_id="b")], LATER + MINUTE)

    assert again == once
    assert not report.changed


def test_phone_and_receiver_count_once() -> None:
    """The same measurement from two devices, seconds apart, is one reading; the second device is noted."""
    once = merged(Hour(FIVE), [measured(at(5), 120, PHONE, ticks=7)])
    hour, report = reported(once, [measured(at(5, 4), 121, RECEIVER, ticks=7)], LATER + MINUTE)

    (stored,) = hour.readings
    assert (stored.reading.mg_dl, stored.revision) == (120, 0)
    assert [copy.device for copy in stored.copies] == [RECEIVER]
    assert (report.stored, report.revised, report.duplicates, report.changed) == (0, 0, 1, True)


def test_of_two_devices_in_one_second_the_order_of_the_answer_decides_nothing() -> None:
    """Which device a reading belongs to is settled by a fixed order."""
    twins = [measured(at(5), 120, PHONE), measured(at(5), 120, RECEIVER)]

    assert merged(Hour(FIVE), twins) == merged(Hour(FIVE), twins[::-1])


def test_what_is_known_goes_before_what_is_not() -> None:
    """Of two contents in one answer, the one that has a trend is served."""
    answer = [measured(at(5)), replace(measured(at(5)), trend=None)]

    (stored,) = merged(Hour(FIVE), answer).readings
    assert stored.reading.trend == "flat"


def test_a_copy_in_the_same_second_never_revises() -> None:
    """What the receiver shows is not a correction of what the phone shows."""
    once = merged(Hour(FIVE), [measured(at(5), 120, PHONE)])

    (stored,) = merged(once, [measured(at(5), 140, RECEIVER)], LATER + MINUTE).readings
    assert (stored.reading.mg_dl, stored.revision) == (120, 0)


def test_a_fingerstick_never_revises_a_sensor() -> None:
    """Another kind of record is another source, even in the same second from the same phone."""
    once = merged(Hour(FIVE), [measured(at(5), 120)])

    (stored,) = merged(once, [replace(measured(at(5), 140), kind="manual")], LATER + MINUTE).readings
    assert (stored.reading.mg_dl, stored.revision) == (120, 0)


def test_a_phone_that_forgets_its_transmitter_still_revises() -> None:
    """Dexcom leaves the transmitter out at times; a correction must not be lost over it."""
    once = merged(Hour(FIVE), [measured(at(5), 120, PHONE)])

    (stored,) = merged(
        once, [measured(at(5), 125, replace(PHONE, transmitter=None))], LATER + MINUTE
    ).readings
    assert (stored.reading.mg_dl, stored.revision) == (125, 1)


def test_the_same_transmitter_ticks_much_later_are_another_measurement() -> None:
    """A provider that repeats its ticks must not cost a reading."""
    hour = merged(Hour(FIVE), [measured(at(5), ticks=7), measured(at(10), ticks=7)])

    assert [stored.reading.at for stored in hour.readings] == [at(5), at(10)]


def test_one_measurement_across_a_full_hour() -> None:
    """The phone says 05:59:58, the receiver 06:00:03: one reading, in the hour that had it first."""
    phone, receiver = measured(at(59, 58), 120, PHONE, ticks=7), measured(at(60, 3), 121, RECEIVER, ticks=7)
    for first, second in ((phone, receiver), (receiver, phone)):
        hours = merge_hours({}, [first], fetched_at=LATER, stored_at=LATER)
        hours = merge_hours(hours, [second], fetched_at=LATER + MINUTE, stored_at=LATER)

        (stored,) = [stored for hour in hours.values() for stored in hour.readings]
        assert stored.reading.at == first.at
        assert [copy.at for copy in stored.copies] == [second.at]


def test_twins_of_two_writers_are_folded() -> None:
    """One measurement that got into two hours at once is one again with the next merge, the earlier stays."""
    phone, receiver = measured(at(59, 58), 120, PHONE, ticks=7), measured(at(60, 3), 121, RECEIVER, ticks=7)
    watch = measured(at(60, 4), 121, replace(PHONE, display="watch"), ticks=7)
    hours = {
        **merge_hours({}, [receiver, watch], fetched_at=LATER, stored_at=LATER),
        **merge_hours({}, [phone], fetched_at=LATER, stored_at=LATER),
    }

    hours = merge_hours(hours, [], fetched_at=LATER, stored_at=LATER)
    assert [[stored.reading.at for stored in hour.readings] for hour in hours.values()] == [[phone.at], []]
    assert [copy.at for copy in hours[FIVE].readings[0].copies] == [receiver.at, watch.at]
    assert hours == merge_hours(hours, [phone, receiver, watch], fetched_at=LATER + MINUTE, stored_at=LATER)


def test_two_contents_in_one_answer_are_settled() -> None:
    """An answer that contradicts itself is one reading, the same in either order, with no history."""
    answer = [measured(at(5), 120), measured(at(5), 125)]
    hour, report = reported(Hour(FIVE), answer)

    assert hour == merged(Hour(FIVE), reversed(answer))
    assert [(stored.reading.mg_dl, stored.revision) for stored in hour.readings] == [(125, 0)]
    assert (report.stored, report.duplicates) == (1, 1)


def test_a_known_reading_and_two_contents_in_one_answer() -> None:
    """The same order settles what an answer says of a reading that is known."""
    once = merged(Hour(FIVE), [measured(at(5), 120)])
    hour = merged(once, [measured(at(5), 125), measured(at(5), 110)], LATER + MINUTE)

    assert [version.reading.mg_dl for version in hour.readings[0].versions] == [120, 125]


@pytest.mark.parametrize(
    "change",
    [
        {"mg_dl": 39},
        {"trend": "brandNew"},
        {"trend": None},
        {"trend_rate": 0.4},
        {"status": "low"},
        {"local_offset_minutes": 60},
    ],
)
def test_what_counts_as_another_content(change: dict[str, Any]) -> None:
    """Every part of what a source says may be corrected."""
    once = merged(Hour(FIVE), [measured(at(5))])
    hour, report = reported(once, [replace(measured(at(5)), **change)], LATER + MINUTE)

    assert report.revised == 1
    assert hour.readings[0].reading == replace(measured(at(5)), **change)


def test_times_are_kept_as_exactly_as_they_are_stored() -> None:
    """Storing to the second, fetching to the millisecond: an hour that is read back is the same."""
    for fetched_us, kept_ms in ((123_456, 123), (999_000, 999), (999_999, 999)):
        moment = LATER + timedelta(microseconds=fetched_us)
        (stored,) = merge(Hour(FIVE), [measured(at(5))], fetched_at=moment, stored_at=moment)[0].readings

        assert stored.stored_at == LATER
        assert stored.fetched_at == LATER + timedelta(milliseconds=kept_ms)


def test_more_devices_than_are_noted() -> None:
    """However many devices report a measurement, it counts once, and its notes stay few."""
    devices = [Device(display=f"phone {n}", transmitter="t") for n in range(COPIES_MAX + 3)]
    (stored,) = merged(Hour(FIVE), [measured(at(5), device=device) for device in devices]).readings

    assert len(stored.copies) == COPIES_MAX


def test_a_record_of_another_hour_is_refused() -> None:
    """An hour never holds what is not its own."""
    with pytest.raises(ValueError, match="another hour"):
        merged(Hour(FIVE), [measured(at(60))])


def test_fractions_of_a_second_do_not_count() -> None:
    """A reading is named by its second."""
    hour = merged(Hour(FIVE), [measured(at(5))])
    for fraction_us in (1, 438_000):
        record = replace(measured(at(5)), at=at(5) + timedelta(microseconds=fraction_us))

        assert merged(hour, [record], LATER + MINUTE) == hour
        assert merged(Hour(FIVE), [record]) == hour
