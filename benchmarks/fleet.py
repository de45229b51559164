"""Cost of the schedule, from ten users to ten thousand: the real dispatcher, tick after tick."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from benchmarks.cost import POLL_INTERVAL_S, TODAY
from benchmarks.measured import Measured
from bg_ingest.dynamo import Table
from bg_ingest.settings import load
from bg_ingest.sync.orders.queue import JobsQueue
from bg_ingest.sync.state import SyncStates
from tests.support.fakes import FakeClock
from tests.support.template_document import create_table
from tests.support.ticking import tick

if TYPE_CHECKING:
    from benchmarks.tables import Tables

SECTION = "The schedule of a day, by number of users"
SENDS, CPU, READ, WRITTEN = (
    "calls that send",
    "CPU of a tick",
    "read",
    "written",
)
USERS_MAX = 10_000
_TICKS = 60  # An hour of ticks: the load is flat, so a day is 24 of them.
_HOURS = 24
_AT_ONCE = 8


@dataclass(slots=True)
class CountingQueue:
    """Accepts and counts messages."""

    messages: int = 0
    calls: int = 0

    def send_message_batch(self, *, Entries: list[Any], **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's.
        """Count the messages."""
        self.messages += len(Entries)
        self.calls += 1
        return {}


def grown(tables: Tables, sizes: tuple[int, ...]) -> list[Measured]:
    """Measure each number of users; the plain design has a message and a call for each user."""
    return [line for users in sizes for line in _schedule(tables, users)]


def _schedule(tables: Tables, users: int) -> list[Measured]:
    name, clock, queue = f"fleet-of-{users}", FakeClock(TODAY), CountingQueue()
    create_table(tables.users.client, "UsersTable", name)
    table = Table(tables.users.client, name)
    states = SyncStates(table, clock)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(lambda n: states.start_polling(f"user-{n}", POLL_INTERVAL_S, TODAY), range(users)))
    jobs_queue = JobsQueue(cast("Any", queue), "queue")
    tables.meter.reset()
    began_s = time.process_time()
    for _ in range(_TICKS):
        tick(table=table, send=jobs_queue.send, intervals_s=load().intervals_s, clock=clock)
        clock.advance(60)
    cpu_ms = (time.process_time() - began_s) * 1_000 / _TICKS
    per_poll = 3_600 // POLL_INTERVAL_S
    if queue.messages != users * per_poll:
        raise RuntimeError("the schedule did not send every user as often as they are due")
    named = f"{users:,} users: {{}}".format
    return [
        Measured(SECTION, named("messages"), queue.messages * _HOURS, "messages"),
        Measured(SECTION, named(SENDS), queue.calls * _HOURS, "calls", None, queue.messages * _HOURS),
        Measured(SECTION, named(READ), tables.meter.read(name) * _HOURS, "RU"),
        Measured(SECTION, named(WRITTEN), tables.meter.written(name) * _HOURS, "WU"),
        Measured(SECTION, named(CPU), cpu_ms, "ms"),
    ]
