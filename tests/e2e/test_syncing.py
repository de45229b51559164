"""Syncs that a caller requests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.clock import SystemClock, new_id
from bg_ingest.dynamo import Table
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.state import SyncStates, Turn
from local import demo
from local.waiting import wait_until
from tests.support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    import httpx

    from local.stack import Stack
    from tests.e2e.conftest import Api

pytestmark = pytest.mark.e2e

_SYNC = "/api/bg/demo/sync"


def _finished(api: Api, location: str) -> dict[str, Any]:
    job: dict[str, Any] = {}

    def is_over() -> bool:
        job.update(api.get(location).json())
        return job["status"] in {"succeeded", "failed"}

    assert wait_until(is_over, WAIT_S_MAX)
    return job


def _synced(api: Api, body: Any = None) -> httpx.Response:
    """Run a sync; try again while another one runs, as a caller would."""
    answers: list[httpx.Response] = []

    def has_run() -> bool:
        answers.append(api.post(_SYNC, body))
        return answers[-1].status_code != 409

    assert wait_until(has_run, WAIT_S_MAX)
    return answers[-1]


def test_a_sync_answers_with_its_finished_job(demo_user: Api) -> None:
    """The answer has the counts, the window and the correlation id of the answer's header."""
    answer = _synced(demo_user)
    job = answer.json()

    assert answer.status_code == 200
    assert (job["status"], job["trigger"], job["error"]) == ("succeeded", "api", None)
    assert job["counts"]["fetched"] == sum(
        job["counts"][name] for name in ("stored", "revised", "duplicates", "invalid")
    )
    assert job["correlation_id"] == answer.headers["x-correlation-id"]


def test_a_repeated_sync_stores_only_duplicates(demo_user: Api) -> None:
    """A second sync of the same range reports duplicates only."""
    body = {"from": demo_user.get("/api/bg/demo?limit=1").json()[0]["timestamp"]}
    _synced(demo_user, body)
    counts = _synced(demo_user, body).json()["counts"]

    assert counts["fetched"] > 0
    assert counts["fetched"] == counts["duplicates"] + counts["stored"]
    assert counts["stored"] <= 1  # A new reading may have been measured in between.


def test_the_address_of_a_queued_sync_answers_at_once(demo_user: Api) -> None:
    """The job's address answers until the job has finished."""
    answer = demo_user.post(_SYNC, None, Prefer="respond-async")

    assert answer.status_code == 202
    assert demo_user.get(answer.headers["location"]).status_code == 200
    assert _finished(demo_user, answer.headers["location"])["status"] == "succeeded"


def test_correlation_id_is_returned_and_kept_in_the_job(demo_user: Api) -> None:
    """The request, its answer and its job have the same correlation id."""
    answer = demo_user.post(_SYNC, None, Prefer="respond-async", **{"X-Correlation-ID": "ticket-4711"})
    job = demo_user.get(answer.headers["location"]).json()

    assert answer.headers["x-correlation-id"] == "ticket-4711"
    assert job["correlation_id"] == "ticket-4711"


@pytest.mark.integration
def test_a_running_sync_answers_409_with_its_job(cloud: Stack, demo_user: Api, dexcom: httpx.Client) -> None:
    """Ten concurrent calls get 409 and the id of the running job, and Dexcom is not called."""
    states = SyncStates(
        Table(cloud.emulator.client("dynamodb"), cloud.users_table), SystemClock(), default_interval_s=60
    )
    taken: list[Turn] = []

    def runs(order: Order) -> bool:
        """Run a sync in a process of the test; try again while the schedule's sync runs."""
        lease = states.take(order)
        taken.extend([lease] if isinstance(lease, Turn) else [])
        return bool(taken)

    order = Order(demo.USER_ID, new_id(SystemClock().now()), JobKind.RECONCILE, Trigger.SCHEDULE, "other")
    assert wait_until(lambda: runs(order), WAIT_S_MAX)
    try:
        called = _calls_of(dexcom)
        with ThreadPoolExecutor(10) as callers:
            answers = list(callers.map(lambda _: demo_user.post(_SYNC), range(10)))
        job = demo_user.get(f"{_SYNC}/jobs/{order.job_id}").json()
        listed = {one["job_id"]: one["status"] for one in demo_user.get(f"{_SYNC}/jobs").json()}
        state = demo_user.get(_SYNC).json()
        calls = _calls_of(dexcom) - called
    finally:
        states.end(taken[0], succeeded=True, data_until=taken[0].state.data_until)

    assert {(answer.status_code, answer.json()["job_id"]) for answer in answers} == {(409, order.job_id)}
    assert (job["status"], job["kind"], listed[order.job_id]) == ("running", "reconcile", "running")
    assert (state["running_job"], calls) == (order.job_id, 0)
    assert _synced(demo_user).status_code == 200


def _calls_of(dexcom: httpx.Client) -> int:
    seen = dexcom.get("/_sim/calls").json()["by_user"]["SandboxUser7"]
    return sum(sum(counts.values()) for counts in seen.values())


def test_a_sync_without_a_connection_is_refused(caller: Any) -> None:
    """A user without a connection has no source to sync from."""
    newcomer: Api = caller("newcomer")
    answer = newcomer.post("/api/bg/newcomer/sync")

    assert answer.status_code == 409
    assert answer.json()["type"].endswith("/not-connected")
    assert newcomer.get("/api/bg/newcomer/sync").json()["connection"] == "disconnected"
