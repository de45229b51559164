"""A pushed reading is readable within seconds, and unauthenticated pushes are refused."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.clock import SystemClock
from local import demo
from local.function_logs import function_lines
from local.waiting import wait_until
from local.webhook_sender import one_reading, send, signed_headers
from tests.support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from datetime import datetime

    import httpx

    from local.stack import Stack
    from tests.e2e.conftest import Api

pytestmark = pytest.mark.e2e

_ADDRESS = "/api/bg/demo/webhook"
_VALUE = 321


def _sent(http: httpx.Client, stack: Stack, webhook_id: str, body: bytes, address: str = _ADDRESS) -> Any:
    headers = signed_headers(stack.webhook_secret, webhook_id, body, SystemClock().now())
    return http.post(address, content=body, headers=headers)


def _jobs(api: Api, address: str, correlation_id: str) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = api.get(f"{address}/sync/jobs?limit=200").json()
    return [job for job in jobs if job["correlation_id"] == correlation_id]


def _ahead(now: datetime) -> datetime:
    """Return an instant after every reading of the simulated sensor, as from a device whose clock is fast."""
    return now + timedelta(minutes=5)


@pytest.fixture(scope="module")
def grace(cloud: Stack, caller: Any) -> Api:
    """Return the API as a user who has just connected and whose history is still being fetched."""
    demo.connect(cloud.api, cloud.callers.token("grace"), "grace", "SandboxUser5")
    api: Api = caller("grace")
    return api


@pytest.mark.integration
def test_concurrent_deliveries_store_one_latest_reading(
    cloud: Stack, http: httpx.Client, grace: Api, now: datetime
) -> None:
    """Of 40 deliveries in 16 threads one is accepted; one job and one reading are stored."""
    address = "/api/bg/grace"
    body = json.dumps(one_reading(_ahead(now), _VALUE)).encode()
    with ThreadPoolExecutor(16) as threads:
        answers = list(
            threads.map(lambda _: _sent(http, cloud, "msg_e2e", body, f"{address}/webhook"), range(40))
        )
    accepted = [answer for answer in answers if answer.status_code == 202]

    assert {answer.status_code for answer in answers} == {200, 202}
    # More than one only if a slow machine let the first one time out.
    (correlation_id,) = {answer.json()["correlation_id"] for answer in accepted}

    def is_latest() -> bool:
        return bool(grace.get(f"{address}/latest").json().get("glucose_mg_dl") == _VALUE)

    assert wait_until(is_latest, WAIT_S_MAX)
    assert wait_until(lambda: _jobs(grace, address, correlation_id)[0]["status"] == "succeeded", WAIT_S_MAX)
    (job,) = _jobs(grace, address, correlation_id)
    assert job["trigger"] == "webhook"
    assert job["counts"]["fetched"] == 1
    around = f"from={_ahead(now):%Y-%m-%dT%H:%M:%SZ}"
    until = f"to={_ahead(now) + timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
    assert len(grace.get(f"{address}?{around}&{until}").json()) == 1


def test_an_announced_range_is_fetched(
    cloud: Stack, http: httpx.Client, demo_user: Api, now: datetime
) -> None:
    """An announced range is fetched by a job."""
    start, end = (f"{now - timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (30, 26))
    body = json.dumps({"type": "egvs.available", "data": {"start": start, "end": end}}).encode()
    answer = _sent(http, cloud, "msg_e2e_range", body)
    assert answer.status_code == 202
    found = answer.json()["correlation_id"]

    assert wait_until(lambda: _jobs(demo_user, "/api/bg/demo", found)[0]["status"] == "succeeded", WAIT_S_MAX)
    (job,) = _jobs(demo_user, "/api/bg/demo", found)
    assert (job["trigger"], job["window"]["from"]) == ("webhook", start)
    # The simulated sensor has gaps of up to three hours, so the number depends on the time of day.
    stored = demo_user.get(f"/api/bg/demo?from={start}&to={end}&limit=1000").json()
    assert job["counts"]["fetched"] == job["counts"]["duplicates"] == len(stored) > 0


@pytest.mark.usefixtures("grace")
def test_webhooks_of_the_local_sender_are_accepted(cloud: Stack) -> None:
    """A reading of now and a body from events/ are accepted; the same id again is a duplicate."""
    file = "events/webhook_records_base64.json"
    answers = [send(cloud, "grace"), *(send(cloud, "grace", file, "msg_e2e_file") for _ in range(2))]

    assert [answer.status_code for answer in answers] == [202, 202, 200]


def test_unsigned_push_does_not_reveal_whether_a_user_exists(cloud: Stack, http: httpx.Client) -> None:
    """Without a signature, a known and an unknown user get the same answer.

    A signed push names the unknown user.
    """
    body = b'{"type": "egvs.created", "data": {"records": []}}'
    stranger = "/api/bg/nobody-at-all/webhook"
    refused = [http.post(address, content=body) for address in (_ADDRESS, stranger)]

    assert [answer.status_code for answer in refused] == [401, 401]
    assert {answer.json()["type"] for answer in refused} == {
        "https://bg-ingest.dev/problems/signature-invalid"
    }
    unknown = _sent(http, cloud, "msg_e2e_unknown", body, stranger)
    assert (unknown.status_code, unknown.json()["type"].rpartition("/")[2]) == (404, "user-unknown")
    assert not [line for line in function_lines(cloud.emulator) if "nobody-at-all" in line]
