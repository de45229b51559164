"""What a sender pushes is readable within seconds, and only what proves itself is taken."""

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
    """Ahead of every reading of the simulated sensor, as of a device whose clock is."""
    return now + timedelta(hours=2)


@pytest.fixture(scope="module")
def grace(cloud: Stack, caller: Any) -> Api:
    """Somebody who has connected just now; their history is still being fetched."""
    demo.connect(cloud.api, cloud.callers.token("grace"), "grace", "SandboxUser5")
    api: Api = caller("grace")
    return api


def test_a_reading_that_is_sent_many_times_at_once_is_the_latest_once(
    cloud: Stack, http: httpx.Client, grace: Api, now: datetime
) -> None:
    """Forty deliveries by sixteen threads: one is accepted, there is one job, and one reading more."""
    address = "/api/bg/grace"
    body = json.dumps(one_reading(_ahead(now), _VALUE)).encode()
    with ThreadPoolExecutor(16) as threads:
        answers = list(
            threads.map(lambda _: _sent(http, cloud, "msg_e2e", body, f"{address}/webhook"), range(40))
        )
    accepted = [answer for answer in answers if answer.status_code == 202]

    assert {answer.status_code for answer in answers} == {200, 202}
    # More than one only where a machine was so slow that the first was given up.
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


def test_a_range_that_is_announced_is_fetched(
    cloud: Stack, http: httpx.Client, demo_user: Api, now: datetime
) -> None:
    """It ends in a job like any other."""
    start, end = (f"{now - timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (30, 26))
    body = json.dumps({"type": "egvs.available", "data": {"start": start, "end": end}}).encode()
    answer = _sent(http, cloud, "msg_e2e_range", body)
    assert answer.status_code == 202
    found = answer.json()["correlation_id"]

    assert wait_until(lambda: _jobs(demo_user, "/api/bg/demo", found)[0]["status"] == "succeeded", WAIT_S_MAX)
    (job,) = _jobs(demo_user, "/api/bg/demo", found)
    assert (job["trigger"], job["window"]["from"]) == ("webhook", start)
    assert job["counts"]["fetched"] == job["counts"]["duplicates"] > 40


@pytest.mark.usefixtures("grace")
def test_what_python_m_local_webhook_sends_is_taken(cloud: Stack) -> None:
    """A reading of now, and a body out of events/; the same id again is a duplicate."""
    file = "events/webhook_records_base64.json"
    answers = [send(cloud, "grace"), *(send(cloud, "grace", file, "msg_e2e_file") for _ in range(2))]

    assert [answer.status_code for answer in answers] == [202, 202, 200]


def test_nothing_is_told_without_a_proof(cloud: Stack, http: httpx.Client) -> None:
    """Known or unknown, the answer is the same; with a proof, an unknown user is said to be one."""
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
