from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bg_ingest.readings.store import ReadingStore
from tests.contract.reading_stores import HOUR, RETENTION_DAYS, everything, instants, interrupted, series
from tests.contract.stepped import At
from tests.support.fakes import NOON, FakeClock

if TYPE_CHECKING:
    from bg_ingest.dynamo import Table

START = NOON - HOUR * 3
RECORDS = series(START, 30)


@pytest.fixture
def reading_store(readings_table: Table, clock: FakeClock) -> ReadingStore:
    """A store on DynamoDB with two and a half hours of readings."""
    store = ReadingStore(readings_table, clock, RETENTION_DAYS)
    store.save("ada", RECORDS, NOON)
    return store


def test_deleted_readings_are_not_served(reading_store: ReadingStore) -> None:
    """Readings of several hours are removed once; the others stay."""
    gone = [RECORDS[0], RECORDS[13], RECORDS[14]]

    assert reading_store.remove_deleted("ada", gone, NOON) == 3
    assert reading_store.remove_deleted("ada", gone, NOON) == 0
    assert [it.reading for it in everything(reading_store)] == [it for it in RECORDS if it not in gone]


def test_an_unknown_reading_makes_no_write(reading_store: ReadingStore) -> None:
    """A reading that was deleted before it was fetched leaves nothing."""
    assert reading_store.remove_deleted("ada", series(START - HOUR * 5, 2), NOON) == 0
    assert reading_store.remove_deleted("bob", RECORDS, NOON) == 0


def test_a_removal_survives_later_saves(reading_store: ReadingStore, clock: FakeClock) -> None:
    """A save of the same hour keeps it; only a newer answer brings the reading back."""
    reading_store.remove_deleted("ada", RECORDS[:1], NOON)
    clock.advance(600)
    reading_store.save("ada", series(START + timedelta(minutes=2), 1), clock.now())
    reading_store.save("ada", RECORDS[:1], NOON - timedelta(minutes=1))
    assert START not in instants(everything(reading_store))

    report = reading_store.save("ada", RECORDS[:1], clock.now())
    assert report.stored == 1
    assert START in instants(everything(reading_store))


def test_an_earlier_time_still_shows_them(reading_store: ReadingStore, clock: FakeClock) -> None:
    """As of the time before the removal, all readings are served."""
    clock.advance(600)
    reading_store.remove_deleted("ada", RECORDS[5:8], clock.now())

    def count(as_of: object) -> int:
        hours = reading_store.columns("ada", START, NOON, as_of=as_of)  # type: ignore[arg-type]  # An instant.
        return sum(map(len, hours))

    assert count(NOON + timedelta(seconds=1)) == 30
    assert count(clock.now()) == 27
    assert count(None) == 27


def test_a_concurrent_save_is_not_lost(reading_store: ReadingStore) -> None:
    """A writer that changes the hour in between wins, and the removal is made again."""
    extra = series(START + timedelta(minutes=1), 1)
    at = At("before put_item", lambda: reading_store.save("ada", extra, NOON))

    assert interrupted(reading_store, at).remove_deleted("ada", RECORDS[:1], NOON) == 1
    found = instants(everything(reading_store))
    assert extra[0].at in found
    assert START not in found
