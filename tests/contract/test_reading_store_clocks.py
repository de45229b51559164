"""The reading store with a phone and a receiver whose clocks differ by minutes."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bg_ingest.readings.store import ReadingStore
from tests.contract.reading_stores import HOUR, RETENTION_DAYS, everything, interrupted
from tests.contract.stepped import At
from tests.support.fakes import NOON, FakeClock
from tests.unit.readings.made_up import MINUTE, PHONE, RECEIVER, SECOND, measured

if TYPE_CHECKING:
    from datetime import timedelta

    from bg_ingest.dynamo import Table
    from bg_ingest.readings.model import Device, Reading


@pytest.fixture
def reading_store(readings_table: Table, clock: FakeClock) -> ReadingStore:
    """A store on DynamoDB that keeps readings for a month."""
    return ReadingStore(readings_table, clock, RETENTION_DAYS)


def reported(count: int, device: Device, apart: timedelta = SECOND * 0) -> list[Reading]:
    """The measurements from noon on, by a device with a clock of its own."""
    return [measured(NOON + MINUTE * 5 * n + apart, 100 + n, device, ticks=300 * n) for n in range(count)]


def test_sixty_measurements_of_two_devices_are_sixty_readings(reading_store: ReadingStore) -> None:
    """The phone uploads during the day, and the receiver everything at once in the evening."""
    phone, receiver = reported(60, PHONE), reported(60, RECEIVER, SECOND * 155)
    for first in range(0, 60, 3):
        reading_store.save("ada", phone[: first + 3], NOON + MINUTE * 5 * first)
    report = reading_store.save("ada", receiver, NOON + HOUR * 5)

    assert (report.stored, report.duplicates) == (0, 60)
    assert len(everything(reading_store)) == 60


@pytest.mark.parametrize("apart_s", [155, -890])
def test_one_record_at_a_time_in_any_order_counts_once(reading_store: ReadingStore, apart_s: int) -> None:
    """Each save reads the hours it needs only, and pairs lie across full hours."""
    chance = random.Random(apart_s)  # noqa: S311 - an order, not a secret.
    records = reported(36, PHONE) + reported(36, RECEIVER, SECOND * apart_s)
    chance.shuffle(records)
    for record in records:
        reading_store.save("ada", [record], NOON)

    assert len(everything(reading_store)) == 36
    assert reading_store.save("ada", records, NOON + MINUTE).hours_written == 0


def test_a_pair_stored_at_once_by_two_writers_is_folded(reading_store: ReadingStore) -> None:
    """Each writer sees one side of the full hour only, and the clocks are known to differ."""
    phone, receiver = reported(18, PHONE), reported(18, RECEIVER, SECOND * 155)
    reading_store.save("ada", phone[:11] + receiver[:11], NOON)
    edge_phone = measured(NOON + MINUTE * 59, 120, PHONE, ticks=7)
    edge_receiver = measured(NOON + MINUTE * 61 + SECOND * 35, 120, RECEIVER, ticks=7)

    def other() -> None:
        reading_store.save("ada", [edge_receiver], NOON + SECOND)

    interrupted(reading_store, At("before put_item", other)).save("ada", [edge_phone], NOON)
    assert len(everything(reading_store)) == 12


def test_a_pair_across_an_hour_is_folded_once_clocks_are_known(reading_store: ReadingStore) -> None:
    """It was stored before, and no later record is near enough to read both of its hours."""
    phone, receiver = reported(18, PHONE), reported(18, RECEIVER, SECOND * 155)
    for number in (11, 15, 16, 17):  # 12:55 and 12:57:35 are moved across the hour.
        moved = MINUTE * 3 if number == 11 else MINUTE * 0
        for record in (phone[number], receiver[number]):
            reading_store.save("ada", [replace(record, at=record.at + moved)], NOON)

    assert len(everything(reading_store)) == 4
