"""Many processes store the same user's readings at once, on the emulated AWS."""

from __future__ import annotations

from multiprocessing.managers import SyncManager
from typing import TYPE_CHECKING

import pytest

from bg_ingest.dynamo import Table
from tests.e2e.crowd import SPAWN, THREADS
from tests.support.writers import (
    WRITERS,
    assert_each_measurement_once,
    assert_merge_of_all,
    batch,
    kept,
    save,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from queue import Queue

    from bg_ingest.readings.store import SaveReport
    from local.stack import Stack
    from tests.e2e.crowd import Crowd, Shared

pytestmark = pytest.mark.e2e


@pytest.fixture
def numbers() -> Iterator[Queue[int]]:
    """A number for each writer, whichever process it is in."""
    with SyncManager(address=("127.0.0.1", 0), ctx=SPAWN) as process:
        queue = process.Queue()
        for writer in range(WRITERS):
            queue.put(writer)
        yield queue


def start_writing(
    shared: Shared, table_name: str, devices: int, numbers: Queue[int]
) -> Callable[[], SaveReport]:
    """A process with a writer in each thread."""
    table = Table(shared.client("dynamodb"), table_name)
    mine = [batch(numbers.get(), devices=devices) for _ in range(THREADS)]
    return lambda: save(table, shared.name, mine.pop())


def test_writers_at_once_store_the_merge_of_all(
    shared: Shared, cloud: Stack, crowd: Crowd, numbers: Queue[int]
) -> None:
    """
    32 writers in 4 processes store overlapping batches.

    Nothing is lost, nothing is there twice, and every reading is reported as stored by exactly one.
    """
    reports = crowd.let_loose(WRITERS // THREADS, start_writing, shared, cloud.readings_table, 1, numbers)

    assert_merge_of_all(kept(Table(shared.client("dynamodb"), cloud.readings_table), shared.name), reports)


def test_two_devices_told_by_many_count_once(
    shared: Shared, cloud: Stack, crowd: Crowd, numbers: Queue[int]
) -> None:
    """Also where the phone's record lies in one hour and the receiver's in the next."""
    crowd.let_loose(WRITERS // THREADS, start_writing, shared, cloud.readings_table, 2, numbers)

    assert_each_measurement_once(kept(Table(shared.client("dynamodb"), cloud.readings_table), shared.name))
