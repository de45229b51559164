"""Concurrent writers of one user's readings, and writers that crash."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from bg_ingest.readings.merging.hour import merge_hours
from bg_ingest.readings.saving import HourContended
from bg_ingest.readings.store import ReadingStore, SaveReport
from tests.contract.reading_stores import HOUR, RETENTION_DAYS, everything, instants, interrupted, series
from tests.contract.stepped import At, Crash, crash
from tests.support.fakes import NOON, FakeClock
from tests.unit.readings.made_up import MINUTE, PHONE, RECEIVER, SECOND, contents, measured

if TYPE_CHECKING:
    from bg_ingest.dynamo import Table
    from bg_ingest.readings.model import Reading


@pytest.fixture
def reading_store(readings_table: Table, clock: FakeClock) -> ReadingStore:
    """A store on DynamoDB that keeps readings for a month."""
    return ReadingStore(readings_table, clock, RETENTION_DAYS)


def test_a_write_between_read_and_write_is_merged(reading_store: ReadingStore) -> None:
    """The readings of both writers are stored, and their reports add up."""
    reports = []

    def other() -> None:
        reports.append(reading_store.save("ada", series(NOON, 9), NOON + SECOND))

    reports.append(
        interrupted(reading_store, At("before put_item", other)).save("ada", series(NOON, 12), NOON)
    )

    assert instants(everything(reading_store)) == [record.at for record in series(NOON, 12)]
    assert [(report.stored, report.duplicates) for report in reports] == [(9, 0), (3, 9)]


def test_a_refused_write_is_repeated_once(reading_store: ReadingStore) -> None:
    """Accepted hours are not written again, and the refused hour is not read again."""
    records = series(NOON + MINUTE * 20, 20)
    calls = At("before put_item", lambda: reading_store.save("ada", records[11:12], NOON), nth=2)
    report = interrupted(reading_store, calls).save("ada", records, NOON)

    assert (report.stored, report.duplicates, report.hours_written) == (19, 1, 2)
    assert calls.steps.count("before put_item") == 3


def test_an_hour_removed_between_read_and_write_is_new(reading_store: ReadingStore) -> None:
    """The write is refused, and then the records are stored in a new item."""
    reading_store.save("ada", series(NOON, 6), NOON)

    def remove() -> None:
        reading_store.table.delete("ada", "2026-04-26T12")

    report = interrupted(reading_store, At("before put_item", remove)).save(
        "ada", series(NOON, 12), NOON + SECOND
    )

    assert instants(everything(reading_store)) == [record.at for record in series(NOON, 12)]
    assert report.stored == 12


def test_many_concurrent_writers_store_the_merge(reading_store: ReadingStore) -> None:
    """
    Twelve writers with overlapping batches are each interrupted by the next one before they write.

    The result is the merge of all batches, and each reading is stored by exactly one writer.
    """
    for seed in range(6):
        chance = random.Random(seed)  # noqa: S311 - a schedule, not a secret.
        records = series(NOON - MINUTE * 30, 30)
        batches = [chance.sample(records, chance.randint(1, 20)) for _ in range(12)]
        reports = nested_writers(reading_store, f"ada-{seed}", batches, chance)

        sent = {record for batch in batches for record in batch}
        merged = merge_hours({}, sent, fetched_at=NOON, stored_at=NOON)
        expected = [stored for hour in merged.values() for stored in hour.readings]
        assert contents(everything(reading_store, f"ada-{seed}")) == contents(expected)
        assert sum(report.stored for report in reports) == len(sent)
        assert sum(report.duplicates for report in reports) == sum(map(len, batches)) - len(sent)


def nested_writers(
    reading_store: ReadingStore, user_id: str, batches: list[list[Reading]], chance: random.Random
) -> list[SaveReport]:
    """Start each writer just before the previous one writes."""
    reports: list[SaveReport] = []
    waiting = iter(batches)

    def write() -> None:
        batch = next(waiting, None)
        if batch:
            book = interrupted(reading_store, At("before put_item", write, nth=chance.randint(1, 2)))
            reports.append(book.save(user_id, batch, NOON + SECOND * chance.randint(0, 3)))

    for _ in batches:  # A writer without a change does not write, so the next one does not start inside it.
        write()
    return reports


def test_a_save_that_is_always_overtaken_fails(reading_store: ReadingStore) -> None:
    """A save that loses every race raises HourContended, and the other readings are stored."""
    values = iter(range(40, 400))

    def overtake(step: str) -> None:
        if step == "before put_item":
            reading_store.save("ada", series(NOON, 1, mg_dl=next(values)), NOON + SECOND)

    with pytest.raises(HourContended):
        interrupted(reading_store, overtake).save("ada", series(NOON + MINUTE * 20, 1), NOON)

    assert instants(everything(reading_store)) == [NOON]


@pytest.mark.parametrize("phone_first", [False, True])
def test_one_measurement_across_an_hour_is_stored_once(
    reading_store: ReadingStore, *, phone_first: bool
) -> None:
    """Two concurrent writers store it on both sides of the hour, and it counts once, for one of them."""
    phone = measured(NOON + MINUTE * 59 + SECOND * 58, 120, PHONE, ticks=7)
    receiver = measured(NOON + HOUR + SECOND * 3, 121, RECEIVER, ticks=7)
    first, second = (phone, receiver) if phone_first else (receiver, phone)
    reports = []

    def other() -> None:
        reports.append(reading_store.save("ada", [second], NOON + SECOND))

    reports.append(interrupted(reading_store, At("before put_item", other)).save("ada", [first], NOON))

    (stored,) = everything(reading_store)
    assert stored.reading.at == phone.at
    assert [copy.at for copy in stored.copies] == [receiver.at]
    assert sum(report.stored for report in reports) == 1
    again = reading_store.save("ada", [first, second], NOON + MINUTE)
    assert (again.stored, again.duplicates, again.hours_written) == (0, 2, 0)


def test_a_measurement_stored_twice_by_a_crash_is_folded(reading_store: ReadingStore) -> None:
    """The next save near it folds the two into one and reports no stored reading."""
    phone = measured(NOON + MINUTE * 59 + SECOND * 58, 120, PHONE, ticks=7)
    receiver = measured(NOON + HOUR + SECOND * 3, 121, RECEIVER, ticks=7)

    def interrupt(step: str) -> None:
        if step == "before put_item":
            reading_store.save("ada", [receiver], NOON + SECOND)
        if step == "after put_item":
            crash()

    with pytest.raises(Crash):
        interrupted(reading_store, interrupt).save("ada", [phone], NOON)
    assert len(everything(reading_store)) == 2
    report = reading_store.save("ada", [phone, receiver], NOON + MINUTE)

    assert instants(everything(reading_store)) == [phone.at]
    assert (report.stored, report.revised, report.duplicates, report.hours_written) == (0, 0, 2, 2)


@pytest.mark.parametrize("step", ["before put_item", "after put_item"])
def test_saving_again_completes_a_crashed_save(reading_store: ReadingStore, step: str) -> None:
    """A repeated save stores the missing readings, and no reading twice."""
    records = series(NOON, 36)
    for nth in (1, 2, 3):
        user_id = f"ada-{nth}"
        with pytest.raises(Crash):
            interrupted(reading_store, At(step, crash, nth)).save(user_id, records, NOON)
        done = len(everything(reading_store, user_id))
        report = reading_store.save(user_id, records, NOON + MINUTE)

        assert done == 12 * (nth - (step == "before put_item"))
        assert instants(everything(reading_store, user_id)) == [record.at for record in records]
        assert (report.stored, report.duplicates) == (36 - done, done)
