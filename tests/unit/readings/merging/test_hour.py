from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bg_ingest.readings.merging.hour import merge_hours
from bg_ingest.readings.merging.reading_index import COPIES_MAX
from bg_ingest.readings.model import Device
from bg_ingest.readings.stored.stored_reading import Hour
from tests.unit.readings.made_up import (
    FIVE,
    LATER,
    MINUTE,
    PHONE,
    RECEIVER,
    SECOND,
    SIX,
    at,
    counted,
    measured,
    merged,
)


def test_a_new_reading_is_stored() -> None:
    """The first record of a measurement is stored with the time."""
    hour, counts = counted(Hour(FIVE), [measured(at(5), 120)])

    (stored,) = hour.readings
    assert (stored.reading.mg_dl, stored.stored_at, stored.revision) == (120, LATER + SECOND, 0)
    assert counts == (1, 0, 0)


def test_merging_does_not_count_as_a_write() -> None:
    """The version of an hour is counted by the store."""
    assert merged(Hour(FIVE), [measured(at(5))]).version == 0


def test_a_changed_reading_is_a_revision() -> None:
    """The newest version is served, and the earlier one keeps the time at which it was stored."""
    once = merged(Hour(FIVE), [measured(at(5), 120)])
    hour, counts = counted(once, [measured(at(5), 125)], LATER + MINUTE)

    (stored,) = hour.readings
    assert (stored.reading.mg_dl, stored.revision, stored.stored_at) == (125, 1, LATER + MINUTE + SECOND)
    assert [(was.reading.mg_dl, was.stored_at) for was in stored.earlier] == [(120, LATER + SECOND)]
    assert stored.first_stored_at == LATER + SECOND
    assert counts == (0, 1, 0)


def test_a_new_record_id_is_not_a_revision() -> None:
    """Dexcom does not promise that record ids stay the same."""
    once = merged(Hour(FIVE), [replace(measured(at(5)), record_id="a")])
    again, counts = counted(once, [replace(measured(at(5)), record_id="b")], LATER + MINUTE)

    assert again == once
    assert counts == (0, 0, 1)


def test_phone_and_receiver_count_once() -> None:
    """The same measurement from two devices, seconds apart, is one reading and one copy."""
    once = merged(Hour(FIVE), [measured(at(5), 120, PHONE, ticks=7)])
    hour, counts = counted(once, [measured(at(5, 4), 121, RECEIVER, ticks=7)], LATER + MINUTE)

    (stored,) = hour.readings
    assert (stored.reading.mg_dl, stored.revision) == (120, 0)
    assert [copy.device for copy in stored.copies] == [RECEIVER]
    assert counts == (0, 0, 1)


def test_two_devices_in_one_second_have_a_fixed_order() -> None:
    """The device of the reading does not depend on the order of the answer."""
    twins = [measured(at(5), 120, PHONE), measured(at(5), 120, RECEIVER)]

    assert merged(Hour(FIVE), twins) == merged(Hour(FIVE), twins[::-1])


def test_a_known_trend_wins_over_a_missing_one() -> None:
    """If one answer has two contents, the one with a trend is served."""
    answer = [measured(at(5)), replace(measured(at(5)), trend=None)]

    (stored,) = merged(Hour(FIVE), answer).readings
    assert stored.reading.trend == "flat"


def test_a_copy_in_the_same_second_never_revises() -> None:
    """A receiver's value does not correct the phone's value."""
    once = merged(Hour(FIVE), [measured(at(5), 120, PHONE)])

    (stored,) = merged(once, [measured(at(5), 140, RECEIVER)], LATER + MINUTE).readings
    assert (stored.reading.mg_dl, stored.revision) == (120, 0)


def test_a_fingerstick_never_revises_a_sensor() -> None:
    """A record of another kind comes from another source, also in the same second from the same phone."""
    once = merged(Hour(FIVE), [measured(at(5), 120)])

    (stored,) = merged(once, [replace(measured(at(5), 140), kind="manual")], LATER + MINUTE).readings
    assert (stored.reading.mg_dl, stored.revision) == (120, 0)


def test_a_record_without_its_transmitter_still_revises() -> None:
    """Dexcom omits the transmitter at times, and the correction must not be lost."""
    once = merged(Hour(FIVE), [measured(at(5), 120, PHONE)])

    (stored,) = merged(
        once, [measured(at(5), 125, replace(PHONE, transmitter=None))], LATER + MINUTE
    ).readings
    assert (stored.reading.mg_dl, stored.revision) == (125, 1)


def test_repeated_ticks_much_later_are_another_measurement() -> None:
    """A transmitter may repeat its ticks, and both readings are kept."""
    hour = merged(Hour(FIVE), [measured(at(5), ticks=7), measured(at(10), ticks=7)])

    assert [stored.reading.at for stored in hour.readings] == [at(5), at(10)]


def test_one_measurement_across_a_full_hour() -> None:
    """The phone says 05:59:58 and the receiver 06:00:03: one reading, in the hour that was stored first."""
    phone, receiver = measured(at(59, 58), 120, PHONE, ticks=7), measured(at(60, 3), 121, RECEIVER, ticks=7)
    for first, second in ((phone, receiver), (receiver, phone)):
        hours = merge_hours({}, [first], fetched_at=LATER, stored_at=LATER)
        hours = merge_hours(hours, [second], fetched_at=LATER + MINUTE, stored_at=LATER)

        (stored,) = [stored for hour in hours.values() for stored in hour.readings]
        assert stored.reading.at == first.at
        assert [copy.at for copy in stored.copies] == [second.at]


def test_twins_of_two_writers_are_folded() -> None:
    """If a measurement was stored in two hours, the next merge makes the later reading a copy."""
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
    """An answer that contradicts itself gives one version, the same in either order."""
    answer = [measured(at(5), 120), measured(at(5), 125)]
    hour, counts = counted(Hour(FIVE), answer)

    assert hour == merged(Hour(FIVE), reversed(answer))
    assert [(stored.reading.mg_dl, stored.revision) for stored in hour.readings] == [(125, 0)]
    assert counts == (1, 0, 1)


def test_a_known_reading_and_two_contents_in_one_answer() -> None:
    """The same order decides which content becomes the revision of a stored reading."""
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
def test_each_content_field_makes_a_revision(change: dict[str, Any]) -> None:
    """A source can correct each of them."""
    once = merged(Hour(FIVE), [measured(at(5))])
    hour, counts = counted(once, [replace(measured(at(5)), **change)], LATER + MINUTE)

    assert counts == (0, 1, 0)
    assert hour.readings[0].reading == replace(measured(at(5)), **change)


def test_times_are_cut_to_their_stored_precision() -> None:
    """`stored_at` has seconds and `fetched_at` milliseconds, so an hour that is read back is equal."""
    for fetched_us, kept_ms in ((123_456, 123), (999_000, 999), (999_999, 999)):
        moment = LATER + timedelta(microseconds=fetched_us)
        hours = merge_hours({}, [measured(at(5))], fetched_at=moment, stored_at=moment)
        (stored,) = hours[FIVE].readings

        assert stored.stored_at == LATER
        assert stored.fetched_at == LATER + timedelta(milliseconds=kept_ms)


def test_the_number_of_noted_copies_is_limited() -> None:
    """A measurement counts once, for any number of devices that report it."""
    devices = [Device(display=f"phone {n}", transmitter="t") for n in range(COPIES_MAX + 3)]
    (stored,) = merged(Hour(FIVE), [measured(at(5), device=device) for device in devices]).readings

    assert len(stored.copies) == COPIES_MAX


def test_records_go_to_their_own_hours() -> None:
    """Also to an hour that was not given."""
    hours = merge_hours(
        {FIVE: Hour(FIVE)}, [measured(at(5)), measured(at(60))], fetched_at=LATER, stored_at=LATER
    )

    assert {start: [each.reading.at for each in hour.readings] for start, hour in hours.items()} == {
        FIVE: [at(5)],
        SIX: [SIX],
    }


def test_fractions_of_a_second_are_cut_off() -> None:
    """A reading is identified by its second."""
    hour = merged(Hour(FIVE), [measured(at(5))])
    for fraction_us in (1, 438_000):
        record = replace(measured(at(5)), at=at(5) + timedelta(microseconds=fraction_us))

        assert merged(hour, [record], LATER + MINUTE) == hour
        assert merged(Hour(FIVE), [record]) == hour
