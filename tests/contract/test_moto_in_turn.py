"""Moto with several threads, because handlers use threads."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bg_ingest.dynamo import Table

THREADS, TIMES = 8, 20


@pytest.fixture
def switching_threads() -> Iterator[None]:
    """Threads that interrupt each other all the time."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual_s)


@pytest.mark.usefixtures("switching_threads")
def test_concurrent_updates_are_not_lost(users_table: Table) -> None:
    """Each thread adds to one sum and writes an attribute of its own. The sum is right, and no call fails."""

    def count(number: int) -> None:
        for _ in range(TIMES):
            users_table.update("ada", "sync", f"ADD failures :one SET mine_{number} = :one", {":one": 1})

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(count, range(THREADS)))

    item = users_table.get("ada", "sync")
    assert item is not None
    assert item["failures"] == THREADS * TIMES
