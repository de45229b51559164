"""
An export of many person-years in the background, and how its functions start: writes EXPORTS.md.

    python -m benchmarks.exports [USERS]

The exporter's own parts run in this process, slice after slice. Each user has the same year of readings,
which is stored once; DynamoDB's answers are read from JSON as botocore reads them. The bucket counts the
bytes of its objects and drops them. So time is CPU time without HTTP.
"""

from __future__ import annotations

import base64
import json
import math
import re
import resource
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from benchmarks import cold_start, machine, price
from benchmarks.series import readings_of
from benchmarks.tables import tables
from benchmarks.yardstick import Yardstick
from bg_ingest.access.audit import Audit
from bg_ingest.accounts import connection
from bg_ingest.clock import SystemClock
from bg_ingest.dynamo import Table
from bg_ingest.exporting.export_file import Exporter
from bg_ingest.exporting.export_job import ExportSpan, of_service
from bg_ingest.exporting.export_jobs import ExportJobs
from bg_ingest.exporting.export_objects import ExportObjects, ExportRemoval
from bg_ingest.exporting.export_run import ExportDelivery, ExportRun, SliceEnd
from bg_ingest.exporting.export_service import ExportCaller, ExportService
from bg_ingest.exporting.user_list import UserList
from bg_ingest.readings.store import ReadingStore
from local.paths import CHECKOUT
from tests.support.memory_dynamo import MemoryDynamo

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.measured import Measured
    from bg_ingest.exporting.export_job import ExportMessage

REPORT = CHECKOUT / "benchmarks" / "EXPORTS.md"
YEAR = timedelta(days=365)
SLICE_S = 120.0  # The function's timeout.
PAGE_BYTES = 1_000_000  # DynamoDB ends a page after a megabyte.
UNIT_BYTES = 4_096
WRITE_UNIT_BYTES = 1_024
PUT = 5e-6  # Of an object, as listed for us-east-1.
OBJECT_MS = 30.0  # Assumed: an upload of a few hundred kilobytes.
PERSON_YEARS = 1_000
STARTS = 5
FIRST_EVENTS = {"query": "query_latest", "export": "export_parquet", "exporter": "exporter_slice"}
LAYERS = {cold_start.CORE_LAYER: "all functions", cold_start.EXPORT_LAYER: "`export`, `exporter`"}
_BETWEEN = re.compile(r"BETWEEN (:\w+) AND (:\w+)")


@dataclass
class SharedYear:
    """The readings table: every user has the items of one, and answers are JSON as DynamoDB sends it."""

    items: list[tuple[str, str]]  # Sort key and item as JSON.
    units: int = 0
    calls: int = 0

    def query(self, **request: Any) -> dict[str, Any]:
        """One page of the hours between two sort keys."""
        values, named = (
            request["ExpressionAttributeValues"],
            _BETWEEN.search(request["KeyConditionExpression"]),
        )
        assert named  # noqa: S101 - hours are read by this condition.
        first, last = (values[name]["S"] for name in named.groups())
        after = request.get("ExclusiveStartKey", {}).get("sk", {}).get("S", "")
        page, size = [], 0
        for key, text in self.items:
            if first <= key <= last and key > after:
                if size > PAGE_BYTES:
                    break
                page.append(text)
                size += len(text)
        more = bool(page) and size > PAGE_BYTES
        self.calls += 1
        self.units += max(math.ceil(size / UNIT_BYTES), 1)
        answer: dict[str, Any] = json.loads(f'{{"Items": [{", ".join(page)}]}}')
        if more:
            answer["LastEvaluatedKey"] = {name: answer["Items"][-1][name] for name in ("pk", "sk")}
        return answer


@dataclass
class MeteredUsers(MemoryDynamo):
    """The users table, with the write units of DynamoDB; a transaction costs twice as much."""

    units: int = 0
    _factor: int = 1

    def transact_write_items(self, **request: Any) -> dict[str, Any]:
        """Write at the price of a transaction."""
        self._factor = 2
        try:
            return super().transact_write_items(**request)
        finally:
            self._factor = 1

    def _write(self, *request: Any) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        before, after = super()._write(*request)
        larger = max(map(_item_bytes, (before, after)))
        self.units += self._factor * max(math.ceil(larger / WRITE_UNIT_BYTES), 1)
        if after and "seat" in after and "seat" not in (before or {}):
            self.units += self._factor  # The index gets an entry.
        return before, after


@dataclass
class CountingBucket:
    """S3 that keeps nothing."""

    objects: int = 0
    size: int = 0
    peaks_mb: list[float] = field(default_factory=list)

    def put_object(self, *, Body: bytes, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's.
        """Count an object."""
        self.objects += 1
        self.size += len(Body)
        self.peaks_mb.append(_peak_mb())
        return {}


@dataclass
class Measurement:
    """An export of so many users, each with a year."""

    users: int
    cpu_s: float = 0.0
    slices: int = 0
    rows: int = 0
    year: SharedYear = field(default_factory=lambda: SharedYear([]))
    bucket: CountingBucket = field(default_factory=CountingBucket)
    calls: int = 0  # That write to the users table.
    written: int = 0  # In units.
    rss_before_mb: float = 0.0


def measure(users: int) -> Measurement:
    """Carry out an export of users with a year of readings each."""
    now = datetime(2026, 11, 21, tzinfo=UTC)
    clock = SystemClock()
    done = Measurement(users)
    done.year = _year(now - YEAR)
    memory = MeteredUsers(page_items_max=1_000)
    table = Table(cast("Any", memory), "users")
    for number in range(users):
        key = {"pk": f"user-{number:05}", "sk": connection.SK, "seat": connection.LISTED}
        table.put(key | {"provider": "dexcom", "connection_state": "connected"})
    objects = ExportObjects(done.bucket, "exports")
    store = ReadingStore(Table(cast("Any", done.year), "readings"), clock, 3_650)
    user_list, jobs = UserList(table, ["dexcom"]), ExportJobs(table, clock)
    queue: list[ExportMessage] = []
    hidden: list[int] = []
    removal = ExportRemoval(jobs, objects)
    exporter = Exporter(store, user_list.own_provider_of, objects=objects)
    run = ExportRun(
        jobs, user_list, exporter, objects, removal, Audit(table, clock, 365), queue.append, clock
    )
    service = ExportService(jobs, removal, objects, queue.append, clock, 730)
    caller = ExportCaller("benchmark", "POST /api/exports", "c")
    service.order(of_service("benchmark"), ExportSpan(now - YEAR, now, clock.now()), caller, None)
    calls, written, started_s = memory.writes, memory.units, time.process_time()
    done.rss_before_mb = _peak_mb()
    while queue:
        ends_s = time.process_time() + SLICE_S
        result = run.run(ExportDelivery(queue.pop(0), partial(_left_s, ends_s), hidden.append))
        done.slices += 1
        print(f"slice {done.slices}: {done.bucket.objects:,} files", file=sys.stderr)
    assert result.end is SliceEnd.SUCCEEDED  # noqa: S101 - otherwise there is nothing to report.
    assert result.job is not None  # noqa: S101 - it succeeded.
    done.cpu_s = time.process_time() - started_s
    done.calls, done.written = memory.writes - calls, memory.units - written
    done.rows = result.job.totals.rows
    return done


def cold_starts() -> list[Measured]:
    """Measure the cold starts of the export functions and of a function without their layer, in turns."""
    with tables() as running:
        return cold_start.cold_starts(cold_start.built_layers(), running.endpoint, STARTS, FIRST_EVENTS)


def starts_report(measured: list[Measured], slowness: float) -> str:
    """Return the second part of the report as Markdown."""
    times = {each.what: each.value for each in measured if each.section == cold_start.SECTION}
    ratios = {each.what: each.value for each in measured if each.section == cold_start.RATIO_SECTION}
    rows = "\n".join(
        f"| {name} | {time_ms:.0f} ms; {time_ms / slowness:.0f} ms | {ratios.get(name, 1):.2f} |"
        for name, time_ms in times.items()
    )
    layers = "\n".join(
        f"| {name} | {_folder_mb(cold_start.BUILT / name / 'python'):.1f} MB | {users} |"
        for name, users in LAYERS.items()
    )
    return f"""
## Cold starts and layers

CPU time of a new process until its first answer, the median of {STARTS} starts. In each round all of them
take turns, and the ratio is to "without code of this project" in the same round: the runtime, and a client of
DynamoDB. The first request of `export` is a Parquet file; `query` does not have the layer.

| function | measured; at the reference speed | ratio |
|---|---|---|
{rows}

| layer | unpacked | in |
|---|---|---|
{layers}
"""


def report(done: Measurement, yardstick: Yardstick) -> str:
    """Return the report as Markdown."""
    each = PERSON_YEARS / done.users
    calls = (done.year.calls + done.calls + done.bucket.objects) * each
    cpu_s = done.cpu_s * each / yardstick.slowness
    files = done.bucket.objects * each
    waits_s = (done.year.calls + done.calls) * each * price.DYNAMODB_MS / 1_000 + files * OBJECT_MS / 1_000
    lambda_s = cpu_s / price.CPU_SHARE + waits_s
    costs = {
        "DynamoDB, read": done.year.units * each * price.READ_UNIT,
        "DynamoDB, written": done.written * each * price.WRITE_UNIT,
        "S3, put": files * PUT,
        "Lambda": lambda_s * price.MEMORY_GB * price.GB_SECOND,
    }
    rows = "\n".join(f"| {name} | {cost:.2f} |" for name, cost in costs.items())
    facts = machine.described()
    mean_kb = done.bucket.size / done.bucket.objects / 1_000
    share = price.CPU_SHARE
    calculated = (
        ""
        if each == 1
        else f"\nSo {PERSON_YEARS:,} person-years are calculated as {each:.0f} times that. They did not run."
    )
    cpu_h, waits_h = cpu_s / price.CPU_SHARE / 3_600, waits_s / 3_600
    return f"""\
# Exports

`python -m benchmarks.exports {done.users}` measured an export of {done.users} users with a year of readings:
Parquet, every five minutes, one file for each month. The exporter's own parts ran in one process, with one
year that is stored once and answered for every user. DynamoDB's answers were parsed from JSON, and objects
were counted and dropped. So the CPU time is without HTTP, signatures and TLS. Users are exported one after
the other.{calculated}

| measured | {done.users} users |
|---|---|
| readings | {done.rows:,} |
| files, with the manifests | {done.bucket.objects:,} of {mean_kb:.0f} kB |
| CPU time | {done.cpu_s:.1f} s; {done.cpu_s / yardstick.slowness:.1f} s at the reference speed |
| slices of {SLICE_S:.0f} s | {done.slices} |
| peak memory before the export, after the first user, at the end | \
{done.rss_before_mb:.0f}, {done.bucket.peaks_mb[12]:.0f}, {done.bucket.peaks_mb[-1]:.0f} MB |
| read units, write units | {done.year.units:,}, {done.written:,} |

The memory is that of the whole process with this benchmark's own tables. The function has 512 MB.

| {PERSON_YEARS:,} person-years | |
|---|---|
| readings | {done.rows * each:,.0f} |
| files | {files:,.0f} ({done.bucket.size * each / 1e9:.1f} GB) |
| calls of DynamoDB and S3 | {calls:,.0f} |
| time in the function, calculated | {cpu_h + waits_h:.1f} h: CPU {cpu_h:.1f} h at {share:.2f} vCPU, \
waiting {waits_h:.1f} h |

| cost of {PERSON_YEARS:,} person-years | USD |
|---|---|
{rows}
| together | {sum(costs.values()):.2f} |

Assumed: {price.DYNAMODB_MS:.0f} ms for a call of DynamoDB, {OBJECT_MS:.0f} ms for an upload, and list
prices of us-east-1 (benchmarks/price.py). The storage of a week is not included.

Machine: {facts["processor"]}, {facts["cores"]} cores, load {facts["load"]}, Python {facts["python"]}.
Yardstick: {yardstick.described()}.
"""


def _year(start: datetime) -> SharedYear:
    memory = MemoryDynamo()
    store = ReadingStore(Table(cast("Any", memory), "readings"), SystemClock(), 3_650)
    readings = readings_of(start, YEAR.days)
    for first in range(0, len(readings), 2_880):
        some = readings[first : first + 2_880]
        store.save("user", some, some[-1].at)
    items = sorted(memory.tables["readings"].items())
    return SharedYear([(key[1], json.dumps(item, default=_text)) for key, item in items])


def _folder_mb(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def _item_bytes(item: dict[str, Any] | None) -> int:
    return sum(len(name) + len(str(*value.values())) for name, value in (item or {}).items())


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _left_s(ends_s: float) -> float:
    return ends_s - time.process_time()


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024


if __name__ == "__main__":
    speed = Yardstick()
    speed.sample()
    measured = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
    speed.sample()
    text = report(measured, speed)
    REPORT.write_text(text + starts_report(cold_starts(), speed.slowness))
    print(REPORT.read_text())
