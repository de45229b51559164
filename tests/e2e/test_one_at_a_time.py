"""Sixty-four syncs of one user at once, on the emulated AWS: one runs, and everybody else is told which."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.clock import SystemClock
from bg_ingest.dynamo import Table
from bg_ingest.ids import new_id
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
    from tests.e2e.crowd import Crowd, Shared

pytestmark = pytest.mark.e2e

_SYNCS = PROCESSES_MAX * THREADS
_PERSON = "SandboxUser6"
_PATIENCE_S = 60.0
_HISTORY = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Told:
    """Counts, over all processes, those who were told that somebody else is at it."""

    table: Table
    user_id: str

    def once_more(self) -> None:
        """One more."""
        self.table.update(
            self.user_id, "told", "SET times = if_not_exists(times, :none) + :one", {":none": 0, ":one": 1}
        )

    def times(self) -> int:
        """How many by now."""
        return int((self.table.get(self.user_id, "told") or {}).get("times", 0))


@dataclass(frozen=True, slots=True)
class WaitsForTheOthers:
    """Dexcom's client, which calls only when all other syncs have had their answer."""

    client: DexcomClient
    access_token: str
    told: Told

    def readings(self, _: str, start: datetime, end: datetime) -> Fetched:
        """What Dexcom has."""
        assert wait_until(lambda: self.told.times() == _SYNCS - 1, _PATIENCE_S)
        return self.client.egvs(self.access_token, start, end)

    def uploaded_since(self, *_: object) -> None:
        """Nobody reconciles here."""


def start_syncing(
    shared: Shared, tables: tuple[str, str], access_token: str
) -> Callable[[], tuple[bool, str]]:
    """A process that syncs the one user in all its threads."""
    clock, dynamodb = SystemClock(), shared.client("dynamodb")
    users, readings = (Table(dynamodb, name) for name in tables)
    told = Told(users, shared.name)
    stores = Stores(
        SyncStates(users, clock),
        Jobs(users, clock),
        ReadingStore(readings, clock, 730),
        CompletenessStore(users, clock),
        lambda *_: 0,
    )
    provider = WaitsForTheOthers(DexcomClient(polite_http(shared.dexcom, clock), clock), access_token, told)

    def sync() -> tuple[bool, str]:
        order = Order(shared.name, new_id(clock.now()), JobKind.INCREMENTAL, Trigger.API, "id")
        report = sync_user(
            order, stores=stores, source=provider, clock=clock, time_left_s=lambda: _PATIENCE_S
        )
        if report.busy:
            told.once_more()
        assert report.job is not None
        return report.busy, report.job.order.job_id

    return sync


def _calls_for_readings(dexcom: httpx.Client) -> Any:
    calls = dexcom.get("/_sim/calls").json()["by_user"].get(_PERSON, {})
    return Counter(calls.get("/v3/users/self/egvs", {})).total()


def test_one_runs_and_the_others_are_told(
    shared: Shared, cloud: Stack, crowd: Crowd, dexcom: httpx.Client
) -> None:
    """One report of success and sixty-three that name its job; Dexcom was called for one."""
    states = SyncStates(shared.table, SystemClock())
    states.start_polling(shared.name, NOBODYS_INTERVAL_S, SystemClock().now() - _HISTORY)
    tables, called = (cloud.users_table, cloud.readings_table), _calls_for_readings(dexcom)

    token = login(dexcom, _PERSON).access_token

    answers = crowd.let_loose(PROCESSES_MAX, start_syncing, shared, tables, token)

    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    (ran,) = (job_id for busy, job_id in answers if not busy)
    assert Counter(answers) == {(False, ran): 1, (True, ran): _SYNCS - 1}
    assert _calls_for_readings(dexcom) == called + 1
