"""Users with readings, and processes that export them and that a test can stop at every step."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from arro3.io import read_parquet

from bg_ingest.access.audit import Audit
from bg_ingest.accounts import connection
from bg_ingest.dynamo import Table
from bg_ingest.erasing.erase import Eraser
from bg_ingest.erasing.receipt import Receipts
from bg_ingest.exporting.export_file import Exporter
from bg_ingest.exporting.export_job import ExportSpan, ExportTotals
from bg_ingest.exporting.export_jobs import ExportJobs
from bg_ingest.exporting.export_objects import ExportObjects, ExportRemoval
from bg_ingest.exporting.export_run import HIDDEN_S, ExportDelivery, ExportRun
from bg_ingest.exporting.export_service import ExportCaller, ExportService
from bg_ingest.exporting.user_list import UserList
from bg_ingest.readings.model import Reading
from bg_ingest.readings.store import ReadingStore
from tests.contract.stepped import stepped
from tests.support.fakes import FakeClock
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.memory_objects import MemoryObjects

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.exporting.export_job import ExportKey, ExportMessage
    from bg_ingest.exporting.export_run import SliceResult

NOW = datetime(2026, 4, 26, 12, 0, tzinfo=UTC)
MONTHS = 3
SPAN = ExportSpan(datetime(2026, 2, 10, tzinfo=UTC), NOW, NOW)
CALLER = ExportCaller("reporting", "POST /api/exports", "c")


def _nothing(_: str) -> None:
    """No step is of interest."""


@dataclass(slots=True)
class ExportWorld:
    """The tables, the bucket, and the queue of exports."""

    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))
    dynamo: Any = field(default_factory=MemoryDynamo.client)
    bucket: MemoryObjects = field(default_factory=MemoryObjects)
    queue: list[ExportMessage] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)
    looks: list[tuple[str, int]] = field(default_factory=list)

    def connect(self, *user_ids: str) -> None:
        """Users with a reading in each month."""
        for user_id in user_ids:
            item = {"pk": user_id, "sk": connection.SK, "seat": connection.LISTED, "provider": "dexcom"}
            Table(self.dynamo, "users").put(item)
            readings = [Reading(NOW - timedelta(days=30 * age), 100 + age) for age in range(1, MONTHS)]
            self.readings().save(user_id, [*readings, Reading(NOW - timedelta(minutes=7), 99)], NOW)

    def readings(self, turn: Callable[[str], None] = _nothing) -> ReadingStore:
        """The readings, in a process that calls `turn` at every step."""
        return ReadingStore(Table(stepped(self.dynamo, turn), "readings"), self.clock, 730)

    def jobs(self, turn: Callable[[str], None] = _nothing) -> ExportJobs:
        """The records of exports."""
        return ExportJobs(Table(stepped(self.dynamo, turn), "users"), self.clock)

    def objects(self, turn: Callable[[str], None] = _nothing) -> ExportObjects:
        """The bucket."""
        return ExportObjects(stepped(self.bucket, turn), "exports")

    def service(self, turn: Callable[[str], None] = _nothing) -> ExportService:
        """What callers use."""
        jobs, objects = self.jobs(turn), self.objects(turn)
        removal = ExportRemoval(jobs, objects)
        return ExportService(jobs, removal, objects, self.queue.append, self.clock, 730)

    def run(self, turn: Callable[[str], None] = _nothing) -> ExportRun:
        """A process that carries out exports and calls `turn` at every step."""
        users = Table(stepped(self.dynamo, turn), "users")
        objects, jobs = self.objects(turn), self.jobs(turn)
        user_list = UserList(users, ["dexcom"])
        exporter = Exporter(self.readings(turn), user_list.own_provider_of, objects=objects)
        audit, removal = Audit(users, self.clock, 365), ExportRemoval(jobs, objects)
        return ExportRun(jobs, user_list, exporter, objects, removal, audit, self.queue.append, self.clock)

    def deliver(self, turn: Callable[[str], None] = _nothing, time_left_s: float = 110.0) -> SliceResult:
        """Carry out the oldest message; it leaves the queue only if the process lives."""
        result = self.run(turn).run(self.delivery(self.queue[0], lambda: time_left_s))
        self.queue.pop(0)
        return result

    def delivery(
        self, message: ExportMessage, time_left_s: Callable[[], float] = lambda: 110.0
    ) -> ExportDelivery:
        """A delivery of a message, which notes for how long the message is hidden."""
        return ExportDelivery(message, time_left_s, self.hidden.append)

    def deliver_again(self) -> list[SliceResult]:
        """Deliver what is left in the queue, after it has become visible again."""
        self.clock.advance(HIDDEN_S)
        results = []
        while self.queue:
            results.append(self.deliver())
        return results

    def erase(self, user_id: str) -> None:
        """Erase a user, without the second look."""
        self.eraser().erase(user_id, lambda: 29.0)

    def eraser(self, turn: Callable[[str], None] = _nothing) -> Eraser:
        """An erasing process, which calls `turn` at every step."""
        users = Table(stepped(self.dynamo, turn), "users")
        return Eraser(
            users=users,
            readings=Table(self.dynamo, "readings"),
            intake=Table(self.dynamo, "intake"),
            receipts=Receipts(users, self.clock, 365),
            order_second_look=lambda user_id, in_s: self.looks.append((user_id, in_s)),
            clock=self.clock,
            exports=ExportJobs(users, self.clock),
            remove_objects=ExportObjects(self.bucket, "exports").remove_all_of,
        )

    def take_second_looks(self) -> None:
        """Advance the clock until every second look was taken."""
        while self.looks:
            user_id, in_s = self.looks.pop(0)
            self.clock.advance(in_s)
            self.eraser().second_look(user_id, lambda: 29.0)

    def files(self, key: ExportKey) -> dict[str, list[str]]:
        """The names of the files that the export lists, by user."""
        page = self.service().page(key, "", 1_000)
        return {files.user_id: [file.name for file in files.files] for files in page.files}

    def check(self, key: ExportKey, *user_ids: str) -> None:
        """The export has succeeded: it lists these users' files and their sums, and there are no others."""
        job = self.service().get(key)
        assert job is not None
        assert job.status == "succeeded"
        page = self.service().page(key, "", 1_000)
        assert [files.user_id for files in page.files] == sorted(user_ids)
        listed = [file for files in page.files for file in files.files]
        stored = {_name(key): data for key, data in self.bucket.found.items()}
        for file in listed:
            data = stored[file.name]
            assert hashlib.sha256(data).hexdigest() == file.sha256
            assert (len(data), _rows(data)) == (file.size, file.rows)
        manifests = {name for name in stored if name.endswith("/manifest.json")}
        assert stored.keys() - manifests == {file.name for file in listed}
        by_manifest = [file for name in sorted(manifests) for file in json.loads(stored[name])["files"]]
        assert sorted(file["sha256"] for file in by_manifest) == sorted(file.sha256 for file in listed)
        assert len(manifests) == len(user_ids)
        assert len(listed) == len(user_ids) * MONTHS
        sums = [len(user_ids), len(listed), sum(file.rows for file in listed), sum(f.size for f in listed)]
        assert job.totals == ExportTotals(*sums)


def _name(key: str) -> str:
    """The name in the manifest of an object."""
    _, pseudonym, _, _, file_name = key.split("/")
    return f"{pseudonym}/{file_name}"


def _rows(data: bytes) -> int:
    return read_parquet(io.BytesIO(data)).read_all().num_rows
