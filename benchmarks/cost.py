"""H5: DynamoDB units of one user's readings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from benchmarks.measured import Measured
from benchmarks.plain import PlainReadingStore
from benchmarks.series import READINGS_PER_DAY, readings_of
from benchmarks.tables import PLAIN, READINGS, USERS
from bg_ingest.clock import new_id
from bg_ingest.providers.seam import Fetched
from bg_ingest.readings.store import ReadingStore
from bg_ingest.sync.completeness_store import CompletenessStore
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.jobs import Jobs
from bg_ingest.sync.run import Stores
from bg_ingest.sync.state import SyncStates
from bg_ingest.sync.sync_user import sync_user
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from benchmarks.tables import Tables
    from bg_ingest.providers.seam import Span
    from bg_ingest.readings.model import Reading
    from bg_ingest.sync import run

SECTION = "DynamoDB units"
POLLED_WRITES = "a day of polls, readings: written"
POLLED_BOOKKEEPING = "a poll's bookkeeping: written"
POLLED_READS = "a day of polls: read"
POLLED_CALLS = "a poll's calls to DynamoDB"
POLLED_ASKS = "a day's polls: calls to Dexcom"
POLL_INTERVAL_S = 900
POLLS_PER_DAY = 86_400 // POLL_INTERVAL_S
RETENTION_DAYS = 730
# In the plain design every reading costs the same and 90 days take minutes, so a part is measured.
_PLAIN_DAYS_MAX = 30
POLLED, GIVEN_HISTORY = "polled", "given-history"
CAUSE = "0196f3a1-2c5d-4e6f-8a9b-0c1d2e3f4a5b"  # A typical correlation id.
TODAY = datetime(2026, 11, 21, tzinfo=UTC)


@dataclass(slots=True)
class BenchmarkSource:
    """A provider with known readings that records its calls."""

    knows: list[Reading]
    clock: FakeClock
    answers: list[list[Reading]]

    def readings(self, user_id: str, start: datetime, end: datetime) -> Fetched:  # noqa: ARG002 - one user only.
        """Return the readings measured by now."""
        end = min(end, self.clock.now())
        self.answers.append([reading for reading in self.knows if start <= reading.at < end])
        return Fetched(tuple(self.answers[-1]))

    def uploaded_since(self, user_id: str, since: datetime) -> Span | None:  # noqa: ARG002 - as above.
        """Return None: a poll would see all data, and only a reconciliation asks."""
        return None


def sync(
    tables: Tables,
    source: run.SourceOf,
    clock: FakeClock,
    user_id: str,
    kind: JobKind,
    *,
    plainly: bool = False,
) -> None:
    """Run one sync with the production code; the plain design differs only in the storage."""
    order: Order | None = Order(user_id, new_id(clock.now()), kind, Trigger.SCHEDULE, CAUSE)
    users, ours = tables.users, ReadingStore(tables.readings, clock, RETENTION_DAYS, lambda: CAUSE)
    reading_store = cast("ReadingStore", PlainReadingStore(tables.plain)) if plainly else ours
    stores = Stores(
        SyncStates(users, clock),
        Jobs(users, clock),
        reading_store,
        CompletenessStore(users, clock),
        lambda *_: 0,
    )
    while order:  # A long history takes several orders, one after the other.
        report = sync_user(order, stores=stores, source=source, clock=clock, time_left_s=lambda: 900.0)
        if report.job is None or report.job.failure or report.busy:
            raise RuntimeError("the benchmark's own sync did not succeed")
        order = report.rest


def polled_day(tables: Tables) -> list[Measured]:
    """Poll one user every 15 minutes for a day; the day before is stored already."""
    ours, plain = _polled(tables, READINGS, plainly=False), _polled(tables, PLAIN, plainly=True)
    return [
        Measured(SECTION, POLLED_WRITES, ours.written, "WU", 130, plain.written),
        Measured(SECTION, POLLED_BOOKKEEPING, ours.bookkeeping, "WU", 3),
        Measured(SECTION, POLLED_READS, ours.read, "RU", None, plain.read),
        Measured(SECTION, POLLED_CALLS, ours.calls, "calls", None, plain.calls),
        Measured(SECTION, POLLED_ASKS, ours.asked, "calls"),
    ]


@dataclass(frozen=True, slots=True)
class Polled:
    """The cost of a day of polls; of each poll where the report says so."""

    written: float
    bookkeeping: float
    read: float
    calls: float
    asked: int


def _polled(tables: Tables, table: str, *, plainly: bool) -> Polled:
    user_id, clock, meter = f"{POLLED}-{table}", FakeClock(TODAY), tables.meter
    provider = BenchmarkSource(readings_of(TODAY - timedelta(days=1), 2), clock, [])
    SyncStates(tables.users, clock).start_polling(user_id, POLL_INTERVAL_S, TODAY - timedelta(days=1))
    sync(tables, lambda *_: provider, clock, user_id, JobKind.BACKFILL, plainly=plainly)
    provider.answers.clear()
    meter.reset()
    for _ in range(POLLS_PER_DAY):
        clock.advance(POLL_INTERVAL_S)
        sync(tables, lambda *_: provider, clock, user_id, JobKind.INCREMENTAL, plainly=plainly)
    return Polled(
        written=meter.written(table),
        bookkeeping=meter.written(USERS) / POLLS_PER_DAY,
        read=meter.read(table) + meter.read(USERS),
        calls=meter.calls / POLLS_PER_DAY,
        asked=len(provider.answers),
    )


def backfill(tables: Tables, days: int) -> list[Measured]:
    """Fetch a new user's whole history."""
    clock = FakeClock(TODAY)
    provider = BenchmarkSource(readings_of(TODAY - timedelta(days=days), days), clock, [])
    SyncStates(tables.users, clock).start_polling(
        GIVEN_HISTORY, POLL_INTERVAL_S, TODAY - timedelta(days=days)
    )
    tables.meter.reset()
    sync(tables, lambda *_: provider, clock, GIVEN_HISTORY, JobKind.BACKFILL)
    written, bookkeeping = tables.meter.written(READINGS), tables.meter.written(USERS)
    part = provider.knows[-min(days, _PLAIN_DAYS_MAX) * READINGS_PER_DAY :]
    PlainReadingStore(tables.plain).save(GIVEN_HISTORY, part, TODAY)
    plain = tables.meter.written(PLAIN) * len(provider.knows) / len(part)
    what = f"{days} days of history ({days * READINGS_PER_DAY:,} readings): written"
    budget = 4_400 * days / 90
    return [
        Measured(SECTION, what, written, "WU", budget, plain),
        Measured(SECTION, f"{days} days of history, bookkeeping: written", bookkeeping, "WU"),
    ]
