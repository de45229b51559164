"""Many threads store the same user's readings at once. Not against moto, where no two calls meet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from tests.support.writers import (
    WRITERS,
    assert_each_measurement_once,
    assert_merge_of_all,
    batch,
    kept,
    save,
)

if TYPE_CHECKING:
    from bg_ingest.dynamo import Table
    from bg_ingest.readings.store import SaveReport

pytestmark = pytest.mark.integration


def let_loose(table: Table, devices: int) -> list[SaveReport]:
    """All writers at one moment, one thread each."""
    barrier = Barrier(WRITERS)

    def write(writer: int) -> SaveReport:
        given = batch(writer, devices=devices)
        barrier.wait(timeout=60)
        return save(table, "ada", given)

    with ThreadPoolExecutor(WRITERS) as threads:
        return list(threads.map(write, range(WRITERS)))


def test_writers_at_once_store_the_merge_of_all(readings_table: Table) -> None:
    """Nothing is lost, nothing is there twice, and every reading is reported as stored by exactly one."""
    reports = let_loose(readings_table, devices=1)

    assert_merge_of_all(kept(readings_table, "ada"), reports)


def test_two_devices_told_by_many_count_once(readings_table: Table) -> None:
    """Also where the phone's record lies in one hour and the receiver's in the next."""
    let_loose(readings_table, devices=2)

    assert_each_measurement_once(kept(readings_table, "ada"))
