"""The limits of a stored hour."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.readings.merging.hour import merge_hours
from bg_ingest.readings.model import Device
from bg_ingest.readings.stored.hour_items import COLUMN_READERS, READERS, read_text
from bg_ingest.readings.stored.stored_reading import EARLIER_MAX, Hour
from bg_ingest.readings.stored.writer import (
    CURRENT_BYTES_MAX,
    HOUR_BYTES_MAX,
    READINGS_MAX,
    FittedHour,
    fit,
    to_text,
)
from tests.unit.readings.made_up import FIVE, LATER, MINUTE, QUICK, SECOND, measured, realistic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bg_ingest.readings.model import Reading

DYNAMODB_ITEM_BYTES = 400 * 1024


def long_record(second: int, mg_dl: int = 110) -> Reading:
    """A record with texts of full length, in characters that JSON writes as twelve bytes each."""
    text = f"{second:04}" + "\N{DROPLET}" * 96
    device = Device(text, text, text, "t" * 64)
    record = measured(FIVE + SECOND * second, mg_dl, device)
    return replace(record, trend=text, record_id=text)


def saved(hour: Hour, answer: Iterable[Reading], fetch: int = 0) -> FittedHour:
    """The hour after one more answer, within the limits."""
    fetched_at = LATER + MINUTE * fetch
    after = merge_hours({FIVE: hour}, answer, fetched_at=fetched_at, stored_at=fetched_at)[FIVE]
    return fit(hour, after)


def test_a_usual_hour_is_not_changed() -> None:
    """Also one of a sensor that measures every minute."""
    fitted = saved(Hour(FIVE), realistic(FIVE, 1, every_s=60))

    assert (len(fitted.hour.readings), fitted.refused) == (60, ())
    assert fitted.text == to_text(FIVE, fitted.hour.readings)
    assert len(fitted.text) < CURRENT_BYTES_MAX / 10


def test_the_largest_hour_is_far_below_the_limit_of_an_item() -> None:
    """1,800 records of full length: the first ones are stored and the others are refused."""
    fitted = saved(Hour(FIVE), [long_record(second) for second in range(0, 3600, 2)])

    assert 0 < len(fitted.text) <= CURRENT_BYTES_MAX < HOUR_BYTES_MAX < DYNAMODB_ITEM_BYTES / 2
    assert len(fitted.hour.readings) + len(fitted.refused) == 1_800
    assert [stored.reading.at for stored in fitted.hour.readings] == [
        FIVE + SECOND * 2 * n for n in range(len(fitted.hour.readings))
    ]
    assert read_text(READERS, FIVE, fitted.text) == fitted.hour.readings


def test_the_number_of_readings_is_limited() -> None:
    """One a second is more than any sensor measures."""
    fitted = saved(Hour(FIVE), [measured(FIVE + SECOND * second) for second in range(3600)])

    assert len(fitted.hour.readings) == READINGS_MAX
    assert len(fitted.refused) == 3600 - READINGS_MAX


def test_a_refused_record_displaces_no_stored_one() -> None:
    """A full hour refuses new readings, takes what fits, and stays the same if the answer is repeated."""
    answer = [long_record(second) for second in range(0, 3600, 20)]
    full = saved(Hour(FIVE), answer)
    again = saved(full.hour, answer, 1)
    earlier = saved(full.hour, [long_record(1)], 2)

    assert again.hour.readings == earlier.hour.readings == full.hour.readings
    assert again.refused == full.refused
    assert earlier.refused == (long_record(1),)


def test_a_revision_that_does_not_fit_is_refused() -> None:
    """The reading keeps the content that it has."""
    short = saved(Hour(FIVE), [measured(FIVE + SECOND * 10 * n) for n in range(300)])
    text = "\N{DROPLET}" * 100
    longer = [replace(stored.reading, trend=f"{n}{text}") for n, stored in enumerate(short.hour.readings)]
    fitted = saved(short.hour, longer, 1)
    revised = [stored for stored in fitted.hour.readings if stored.revision]

    assert len(fitted.hour.readings) == 300
    assert len(revised) + len(fitted.refused) == 300
    assert 0 < len(revised) < 300
    assert len(fitted.text) <= HOUR_BYTES_MAX


@pytest.mark.parametrize("per_hour", [84, 12, READINGS_MAX])
def test_versions_are_limited_by_bytes(per_hour: int) -> None:
    """The first versions and the newest are kept, and `revision` counts all of them."""
    hour = Hour(FIVE)
    fetches = 40 if per_hour < READINGS_MAX else 6
    for fetch in range(fetches):
        answer = [measured(FIVE + SECOND * (3600 // per_hour * n), 100 + fetch) for n in range(per_hour)]
        answer = [replace(record, record_id=f"{fetch}-{record.at}") for record in answer]
        fitted = saved(hour, answer, fetch)
        hour = fitted.hour

    assert len(fitted.text) <= HOUR_BYTES_MAX
    assert fitted.refused == ()
    assert read_text(READERS, FIVE, fitted.text) == hour.readings
    assert set(read_text(COLUMN_READERS, FIVE, fitted.text).columns.revision) == {fetches - 1}
    for stored in hour.readings:
        assert stored.revision == fetches - 1
        assert stored.reading.mg_dl == 100 + fetches - 1
        kept = [version.reading.mg_dl for version in stored.earlier]
        assert kept == list(range(100, 100 + len(kept)))
    assert max(len(stored.earlier) for stored in hour.readings) <= EARLIER_MAX


@QUICK
@given(st.lists(st.lists(st.tuples(st.integers(0, 40), st.integers(100, 103)), max_size=40), max_size=8))
def test_any_hour_stays_within_its_limits(fetches: list[list[tuple[int, int]]]) -> None:
    """It loses no reading and no count of versions, and each answer again changes nothing."""
    hour = Hour(FIVE)
    for fetch, answer in enumerate(fetches):
        records = [replace(long_record(second, mg_dl), record_id=None) for second, mg_dl in answer]
        fitted = saved(hour, records, fetch)
        again = saved(fitted.hour, records, fetch)
        known = {stored.reading.at: stored for stored in fitted.hour.readings}

        assert len(fitted.text) <= HOUR_BYTES_MAX
        assert all(known[was.reading.at].revision >= was.revision for was in hour.readings)
        assert again.hour.readings == fitted.hour.readings
        hour = fitted.hour
