"""Many writers of one user's readings: the batch of each, and the result in any order of writes."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.readings.merging.hour import merge_hours
from bg_ingest.readings.store import FAR_AHEAD, ReadingStore
from bg_ingest.readings.stored.stored_reading import LONG_AGO
from tests.support.fakes import NOON, FakeClock
from tests.unit.readings.made_up import RECEIVER, contents, realistic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bg_ingest.dynamo import Table
    from bg_ingest.readings.model import Reading
    from bg_ingest.readings.store import SaveReport
    from bg_ingest.readings.stored.stored_reading import Hour, StoredReading

WRITERS = 32
HOURS = 6
RETENTION_DAYS = 3_650  # The emulated AWS removes expired items by the real date.
_WHOLE_HOUR = NOON - timedelta(hours=HOURS)
_ACROSS_THE_HOUR = timedelta(seconds=14)  # The phone says 12:59:58 and the receiver 13:00:01.


@dataclass(frozen=True, slots=True)
class Batch:
    """The records that one writer fetched."""

    records: list[Reading]
    fetched_at: datetime


def batch(writer: int, *, devices: int = 1) -> Batch:
    """
    Two thirds of the measurements of six hours, shuffled.

    With one device, the second half of the writers has every third value corrected. With two devices, every
    other writer has the records of the receiver: the same measurements three seconds later.
    """
    chance = random.Random(writer)  # noqa: S311 - a fixed schedule, not a secret.
    measured = realistic(_WHOLE_HOUR if devices == 1 else _WHOLE_HOUR - _ACROSS_THE_HOUR, HOURS)
    if devices == 2 and writer % 2:
        measured = list(map(_by_receiver, measured))
    elif devices == 1 and writer >= WRITERS // 2:
        measured[::3] = [replace(record, mg_dl=record.mg_dl + 5) for record in measured[::3]]
    first = chance.randrange(len(measured) // 3)
    records = measured[first : first + len(measured) * 2 // 3]
    chance.shuffle(records)
    return Batch(records, NOON + timedelta(seconds=writer))


def save(table: Table, user_id: str, given: Batch) -> SaveReport:
    """Store the batch of one writer."""
    return ReadingStore(table, FakeClock(), RETENTION_DAYS).save(user_id, given.records, given.fetched_at)


def stored_readings(table: Table, user_id: str) -> list[StoredReading]:
    """All stored readings of a user."""
    return list(ReadingStore(table, FakeClock(), RETENTION_DAYS).between(user_id, LONG_AGO, FAR_AHEAD))


def assert_merge_of_all(stored: Sequence[StoredReading], reports: Sequence[SaveReport]) -> None:
    """One device: the merge of all batches is stored, each reading and each revision by one writer."""
    batches = [batch(writer) for writer in range(WRITERS)]
    hours: dict[datetime, Hour] = {}
    for given in batches:
        hours = merge_hours(hours, given.records, fetched_at=given.fetched_at, stored_at=NOON)
    merged = [reading for hour in hours.values() for reading in hour.readings]
    assert contents(stored) == contents(merged)
    assert sum(report.stored for report in reports) == len(merged)
    assert sum(report.revised for report in reports) == sum(reading.revision for reading in merged) > 0
    counted = sum(report.stored + report.revised + report.duplicates for report in reports)
    assert counted == sum(len(given.records) for given in batches)


def assert_each_measurement_stored_once(stored: Sequence[StoredReading]) -> None:
    """Two devices: every measurement of any batch is stored exactly once."""
    sent = {
        record.transmitter_ticks for writer in range(WRITERS) for record in batch(writer, devices=2).records
    }
    assert sorted(str(reading.reading.transmitter_ticks) for reading in stored) == sorted(map(str, sent))


def _by_receiver(record: Reading) -> Reading:
    device = replace(RECEIVER, transmitter=record.device.transmitter)
    return replace(record, at=record.at + timedelta(seconds=3), device=device, record_id=None)
