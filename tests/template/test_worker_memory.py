"""The worker's memory limit, compared with the size of the orders it runs at once."""

from __future__ import annotations

import json
import tracemalloc
import uuid
from datetime import timedelta

import httpx

from bg_ingest.dynamo import Table
from bg_ingest.providers.dexcom.client import DexcomClient
from bg_ingest.readings.store import ReadingStore
from bg_ingest.sync.windows import BACKFILL_WINDOW
from tests.support.fakes import NOON, FakeClock
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.template_document import resource, template
from tests.unit.providers.dexcom.json_records import a_record
from tests.unit.providers.http.fake_provider import polite

# The largest number of measurements of one user.
READINGS_PER_DAY_MAX = 1_000
# The worker's memory before its first order: Python, boto3, httpx and the package (90 MB on a laptop).
IDLE_BYTES = 130_000_000
_RECORDS = 2_000


def test_concurrent_backfills_fit_into_the_worker_memory() -> None:
    """One window of each order, from the provider's answer to the stored hours."""
    worker = resource("WorkerFunction")
    at_once = worker["Events"]["Jobs"]["Properties"]["BatchSize"]
    memory_mb = worker.get("MemorySize", template()["Globals"]["Function"]["MemorySize"])
    records = at_once * BACKFILL_WINDOW.days * READINGS_PER_DAY_MAX

    assert IDLE_BYTES + records * _bytes_of_a_record() < memory_mb * 2**20


def _bytes_of_a_record() -> float:
    """Return the largest size of a record: as text, as JSON, as a reading, and in its hour."""
    clock, answer = FakeClock(), _answer()
    client = DexcomClient(polite(clock, lambda _: httpx.Response(200, content=answer)), clock)
    reading_store = ReadingStore(Table(MemoryDynamo.client(), "readings"), clock, 730)
    start = NOON - BACKFILL_WINDOW
    client.egvs("token", start, NOON)  # Objects that are made only once exist by now.
    tracemalloc.start()
    try:
        assert reading_store.save("ada", client.egvs("token", start, NOON).readings, NOON).stored == _RECORDS
        return tracemalloc.get_traced_memory()[1] / _RECORDS
    finally:
        tracemalloc.stop()


def _answer() -> bytes:
    apart = timedelta(days=1) / READINGS_PER_DAY_MAX
    instants = [(NOON - apart * (number + 1)).replace(microsecond=0) for number in range(_RECORDS)]
    records = [
        a_record(
            recordId=str(uuid.UUID(int=number)),
            systemTime=f"{at:%Y-%m-%dT%H:%M:%SZ}",
            displayTime=f"{at:%Y-%m-%dT%H:%M:%S}-00:00",
            transmitterTicks=number,
        )
        for number, at in enumerate(instants)
    ]
    return json.dumps({"records": records}).encode()
