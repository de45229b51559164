"""Many threads store one user's readings. Moto runs one call at a time, so it is not used here."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from tests.support.writers import (
    WRITERS,
    assert_each_measurement_stored_once,
    assert_merge_of_all,
    batch,
    save,
    stored_readings,
)

if TYPE_CHECKING:
    from bg_ingest.dynamo import Table
    from bg_ingest.readings.store import SaveReport

pytestmark = pytest.mark.integration


def write_at_once(table: Table, devices: int) -> list[SaveReport]:
    """Start all writers at one moment, in one thread each."""
    barrier = Barrier(WRITERS)

    def write(writer: int) -> SaveReport:
        given = batch(writer, devices=devices)
        barrier.wait(timeout=60)
        return save(table, "ada", given)

    with ThreadPoolExecutor(WRITERS) as threads:
        return list(threads.map(write, range(WRITERS)))


def test_concurrent_writers_store_the_merge_of_all(readings_table: Table) -> None:
    """No reading is lost or stored twice, and each is reported as stored by exactly one writer."""
    reports = write_at_once(readings_table, devices=1)

    assert_merge_of_all(stored_readings(readings_table, "ada"), reports)


def test_measurements_of_two_devices_are_stored_once(readings_table: Table) -> None:
    """A measurement is stored once, even if its two records are in different hours."""
    write_at_once(readings_table, devices=2)

    assert_each_measurement_stored_once(stored_readings(readings_table, "ada"))
