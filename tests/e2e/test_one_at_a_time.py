"""Of 64 concurrent syncs of one user, one runs and the others get its job id."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.clock import SystemClock, new_id
from bg_ingest.dynamo import Table
from bg_ingest.providers.dexcom.client import DexcomClient
from bg_ingest.providers.http.http_client import polite_http
from bg_ingest.readings.store import ReadingStore
from bg_ingest.sync.completeness_store import CompletenessStore
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.jobs import Jobs
from bg_ingest.sync.run import Stores
from bg_ingest.sync.state import SyncStates
from bg_ingest.sync.sync_user import sync_user
from local.waiting import wait_until
from tests.e2e.at_dexcom import NOBODYS_INTERVAL_S, login
from tests.e2e.crowd import PROCESSES_MAX, THREADS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import httpx

    from bg_ingest.providers.seam import Fetched
    from local.stack import Stack
    from tests.e2e.crowd import ProcessGroup, Shared

pytestmark = [pytest.mark.e2e, pytest.mark.integration]

_SYNCS = PROCESSES_MAX * THREADS
_PERSON = "SandboxUser6"
_PATIENCE_S = 60.0
_HISTORY = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class BusySyncs:
    """Counts, over all processes, the syncs that found another one running."""

    table: Table
    user_id: str

    def add_one(self) -> None:
        """Add one."""
        self.table.update(
            self.user_id, "busy", "SET times = if_not_exists(times, :none) + :one", {":none": 0, ":one": 1}
        )

    def count(self) -> int:
        """Return the count."""
        return int((self.table.get(self.user_id, "busy") or {}).get("times", 0))


@dataclass(frozen=True, slots=True)
class CallsAfterTheOthers:
    """A client of Dexcom that waits until all other syncs have their answer, then calls."""

    client: DexcomClient
    access_token: str
    busy: BusySyncs

    def readings(self, _: str, start: datetime, end: datetime) -> Fetched:
        """Return the readings of Dexcom."""
        assert wait_until(lambda: self.busy.count() == _SYNCS - 1, _PATIENCE_S)
        return self.client.egvs(self.access_token, start, end)

    def uploaded_since(self, *_: object) -> None:
        """Return None, because no sync here reconciles."""


def start_syncing(
    shared: Shared, tables: tuple[str, str], access_token: str
) -> Callable[[], tuple[bool, str]]:
    """Make a sync of the one user, which the process runs in all its threads."""
    clock, dynamodb = SystemClock(), shared.client("dynamodb")
    users, readings = (Table(dynamodb, name) for name in tables)
    busy = BusySyncs(users, shared.name)
    stores = Stores(
        SyncStates(users, clock),
        Jobs(users, clock),
        ReadingStore(readings, clock, 730),
        CompletenessStore(users, clock),
        lambda *_: 0,
    )
    provider = CallsAfterTheOthers(DexcomClient(polite_http(shared.dexcom, clock), clock), access_token, busy)

    def sync() -> tuple[bool, str]:
        order = Order(shared.name, new_id(clock.now()), JobKind.INCREMENTAL, Trigger.API, "id")
        report = sync_user(
            order, stores=stores, source=lambda *_: provider, clock=clock, time_left_s=lambda: _PATIENCE_S
        )
        if report.busy:
            busy.add_one()
        assert report.job is not None
        return report.busy, report.job.order.job_id

    return sync


def _calls_for_readings(dexcom: httpx.Client) -> Any:
    calls = dexcom.get("/_sim/calls").json()["by_user"].get(_PERSON, {})
    return Counter(calls.get("/v3/users/self/egvs", {})).total()


def test_one_concurrent_sync_runs_and_others_name_its_job(
    shared: Shared, cloud: Stack, crowd: ProcessGroup, dexcom: httpx.Client
) -> None:
    """One sync reports success, 63 name its job, and Dexcom is called once."""
    states = SyncStates(shared.table, SystemClock())
    states.start_polling(shared.name, NOBODYS_INTERVAL_S, SystemClock().now() - _HISTORY)
    tables, called = (cloud.users_table, cloud.readings_table), _calls_for_readings(dexcom)

    token = login(dexcom, _PERSON).access_token

    answers = crowd.run_at_once(PROCESSES_MAX, start_syncing, shared, tables, token)

    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    (ran,) = (job_id for busy, job_id in answers if not busy)
    assert Counter(answers) == {(False, ran): 1, (True, ran): _SYNCS - 1}
    assert _calls_for_readings(dexcom) == called + 1
