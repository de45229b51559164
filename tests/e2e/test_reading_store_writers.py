"""Many processes store one user's readings on the emulated AWS."""

from __future__ import annotations

from multiprocessing.managers import SyncManager
from typing import TYPE_CHECKING

import pytest

from bg_ingest.dynamo import Table
from tests.e2e.crowd import SPAWN, THREADS
from tests.support.writers import (
    WRITERS,
    assert_each_measurement_stored_once,
    assert_merge_of_all,
    batch,
    save,
    stored_readings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from queue import Queue

    from bg_ingest.readings.store import SaveReport
    from local.stack import Stack
    from tests.e2e.crowd import ProcessGroup, Shared

pytestmark = [pytest.mark.e2e, pytest.mark.integration]


@pytest.fixture
def numbers() -> Iterator[Queue[int]]:
    """A number for each writer, across all processes."""
    with SyncManager(address=("127.0.0.1", 0), ctx=SPAWN) as process:
        queue = process.Queue()
        for writer in range(WRITERS):
            queue.put(writer)
        yield queue


def start_writing(
    shared: Shared, table_name: str, devices: int, numbers: Queue[int]
) -> Callable[[], SaveReport]:
    """Prepare a process with one writer per thread."""
    table = Table(shared.client("dynamodb"), table_name)
    mine = [batch(numbers.get(), devices=devices) for _ in range(THREADS)]
    return lambda: save(table, shared.name, mine.pop())


def test_concurrent_writers_store_the_merge_of_all(
    shared: Shared, cloud: Stack, crowd: ProcessGroup, numbers: Queue[int]
) -> None:
    """
    32 writers in 4 processes store overlapping batches.

    No reading is lost or stored twice, and each is reported as stored by exactly one writer.
    """
    reports = crowd.run_at_once(WRITERS // THREADS, start_writing, shared, cloud.readings_table, 1, numbers)

    assert_merge_of_all(
        stored_readings(Table(shared.client("dynamodb"), cloud.readings_table), shared.name), reports
    )


def test_measurements_of_two_devices_are_stored_once(
    shared: Shared, cloud: Stack, crowd: ProcessGroup, numbers: Queue[int]
) -> None:
    """Also if the phone's record is in one hour and the receiver's in the next."""
    crowd.run_at_once(WRITERS // THREADS, start_writing, shared, cloud.readings_table, 2, numbers)

    assert_each_measurement_stored_once(
        stored_readings(Table(shared.client("dynamodb"), cloud.readings_table), shared.name)
    )
