"""Syncs that somebody asks for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.clock import SystemClock
from bg_ingest.dynamo import Table
from bg_ingest.ids import new_id
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.state import Lease, SyncStates
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
    """A sync that ran; one that found another running is asked for again, as a caller would."""
    answers: list[httpx.Response] = []

    def has_run() -> bool:
        answers.append(api.post(_SYNC, body))
        return answers[-1].status_code != 409

    assert wait_until(has_run, WAIT_S_MAX)
    return answers[-1]


def test_a_sync_answers_with_its_finished_job(demo_user: Api) -> None:
    """Counts, window and the correlation id that is in the answer's header."""
    answer = _synced(demo_user)
    job = answer.json()

    assert answer.status_code == 200
    assert (job["status"], job["trigger"], job["error"]) == ("succeeded", "api", None)
    assert job["counts"]["fetched"] == sum(
        job["counts"][name] for name in ("stored", "revised", "duplicates", "invalid")
    )
    assert job["correlation_id"] == answer.headers["x-correlation-id"]


def test_asking_again_stores_nothing_twice(demo_user: Api) -> None:
    """The same range a second time is all duplicates."""
    body = {"from": demo_user.get("/api/bg/demo?limit=1").json()[0]["timestamp"]}
    _synced(demo_user, body)
    counts = _synced(demo_user, body).json()["counts"]

    assert counts["fetched"] > 0
    assert counts["fetched"] == counts["duplicates"] + counts["stored"]
    assert counts["stored"] <= 1  # A reading may have been measured in between.


def test_a_queued_sync_has_an_address_that_answers_at_once(demo_user: Api) -> None:
    """Its job can be watched until it is over."""
    answer = demo_user.post(_SYNC, None, Prefer="respond-async")

    assert answer.status_code == 202
    assert demo_user.get(answer.headers["location"]).status_code == 200
    assert _finished(demo_user, answer.headers["location"])["status"] == "succeeded"


def test_the_callers_correlation_id_comes_back_and_is_kept(demo_user: Api) -> None:
    """One id ties the request, its answer and its job together."""
    answer = demo_user.post(_SYNC, None, Prefer="respond-async", **{"X-Correlation-ID": "ticket-4711"})
    job = demo_user.get(answer.headers["location"]).json()

    assert answer.headers["x-correlation-id"] == "ticket-4711"
    assert job["correlation_id"] == "ticket-4711"


def test_while_one_runs_callers_are_told_which(cloud: Stack, demo_user: Api, dexcom: httpx.Client) -> None:
    """Ten at once get 409 and the job's id, whose view says that it runs; Dexcom is called by none."""
    states = SyncStates(
        Table(cloud.emulator.client("dynamodb"), cloud.users_table), SystemClock(), default_interval_s=60
    )
    taken: list[Lease] = []

    def runs(order: Order) -> bool:
        """A sync of another process than the functions'; the schedule may be at it just now."""
        lease = states.take(order)
        taken.extend([lease] if isinstance(lease, Lease) else [])
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
        states.release(taken[0], succeeded=True, data_until=taken[0].state.data_until)

    assert {(answer.status_code, answer.json()["job_id"]) for answer in answers} == {(409, order.job_id)}
    assert (job["status"], job["kind"], listed[order.job_id]) == ("running", "reconcile", "running")
    assert (state["running_job"], calls) == (order.job_id, 0)
    assert _synced(demo_user).status_code == 200


def _calls_of(dexcom: httpx.Client) -> int:
    seen = dexcom.get("/_sim/calls").json()["by_user"]["SandboxUser7"]
    return sum(sum(counts.values()) for counts in seen.values())


def test_who_never_connected_is_told_so(caller: Any) -> None:
    """There is nothing to sync from."""
    newcomer: Api = caller("newcomer")
    answer = newcomer.post("/api/bg/newcomer/sync")

    assert answer.status_code == 409
    assert answer.json()["type"].endswith("/not-connected")
    assert newcomer.get("/api/bg/newcomer/sync").json()["connection"] == "disconnected"
