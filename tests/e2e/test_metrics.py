"""The metrics that operators see, from the deployed stack's own log: good days, bad days, and who listens."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.clock import SystemClock
from bg_ingest.telemetry.metrics import NAMESPACE
from local import demo
from local.deploy import function_names
from local.paths import CHECKOUT
from local.waiting import wait_until
from local.webhook_sender import one_reading, signed_headers
from tests.e2e.measured import caused_by, lines_of, measured
from tests.support.waiting import WAIT_S_MAX
from tests.template.emitted import series

if TYPE_CHECKING:
    from datetime import datetime

    import httpx

    from local.stack import Stack
    from tests.e2e.conftest import Api
    from tests.e2e.measured import Found

pytestmark = pytest.mark.e2e

_USER, _SIMULATED = "patient-2", "SandboxUser6"


@pytest.fixture(scope="module")
def person(cloud: Stack, caller: Any) -> Api:
    """Somebody who has just connected, and whose history is there."""
    token = cloud.callers.token(_USER)
    demo.connect(cloud.api, token, _USER, _SIMULATED)
    demo.wait_for_backfill(cloud.api, token, _USER)
    api: Api = caller(_USER)
    return api


def _synced(cloud: Stack, person: Api, name: str) -> tuple[httpx.Response, Found]:
    """A sync that ran, and what it measured; one that meets a poll is asked for again."""
    answers: list[httpx.Response] = []

    def has_run() -> bool:
        correlation = {"X-Correlation-ID": f"{name}-{len(answers)}"}
        answers.append(person.post("/api/bg/patient-2/sync", None, **correlation))
        return not answers[-1].json().get("type", "").endswith("/sync-running")

    assert wait_until(has_run, WAIT_S_MAX)
    return answers[-1], caused_by(cloud, f"{name}-{len(answers) - 1}")


def _queued(person: Api) -> dict[str, Any]:
    """A sync by the worker, when it is over."""
    where = person.post("/api/bg/patient-2/sync", None, Prefer="respond-async").headers["location"]
    job: dict[str, Any] = {}

    def is_over() -> bool:
        job.update(person.get(where).json())
        return job["status"] in {"succeeded", "failed"}

    assert wait_until(is_over, WAIT_S_MAX)
    return job


def _fault(dexcom: httpx.Client, **fault: Any) -> None:
    dexcom.post("/_sim/faults", json={"user": _SIMULATED, **fault}).raise_for_status()


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of a webhook of each kind: what was answered, and measured."""

    accepted: tuple[int, Found]
    duplicate: tuple[int, Found]
    unproven: tuple[int, Found]
    failed: tuple[int, Found]


@pytest.fixture(scope="module")
def webhooks(cloud: Stack, http: httpx.Client, person: Api) -> Brought:
    """One that is taken, the same again, one without a proof, and one that no gateway would hand over."""
    assert person.get(f"/api/bg/{_USER}/latest").status_code == 200
    now = SystemClock().now()
    body = json.dumps(one_reading(now)).encode()
    proof = signed_headers(cloud.webhook_secret, "msg_metrics", body, now)

    def sent(name: str, headers: dict[str, str]) -> tuple[int, Found]:
        headers = {**headers, "X-Correlation-ID": name}
        answer = http.post(f"/api/bg/{_USER}/webhook", content=body, headers=headers)
        return answer.status_code, caused_by(cloud, name, last="webhooks")

    return Brought(
        sent("webhook-taken", proof), sent("webhook-again", proof), sent("webhook-bare", {}), _broken(cloud)
    )


def _broken(cloud: Stack) -> tuple[int, Found]:
    """A body that is no text: the only way to a failure of ours that leaves the stack whole."""
    event = json.loads((CHECKOUT / "events" / "webhook_records.json").read_text()) | {"body": 5}
    event["headers"]["x-correlation-id"] = "webhook-broken"
    function = function_names(cloud.emulator)["WebhookFunction"]
    answer = cloud.emulator.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event).encode())
    return json.load(answer["Payload"])["statusCode"], caused_by(cloud, "webhook-broken", last="webhooks")


@dataclass(frozen=True, slots=True)
class Days:
    """What each sync answered and measured."""

    good: tuple[httpx.Response, Found]
    refreshed: Found
    unreadable: Found
    over: tuple[httpx.Response, Found]
    of_the_worker: tuple[str | None, ...]  # The error of each order that it carried out.


@pytest.fixture(scope="module")
def days(cloud: Stack, dexcom: httpx.Client, person: Api) -> Days:
    """A good sync, a refresh, an answer nobody can read, and the end of a connection."""
    person.get(f"/api/bg/{_USER}/latest")
    # A tick of our own, which the schedule's next one does not mind: it may be a minute away.
    dispatcher = function_names(cloud.emulator)["DispatchFunction"]
    cloud.emulator.client("lambda").invoke(FunctionName=dispatcher, Payload=b"{}")
    good = _synced(cloud, person, "good")
    _fault(dexcom, kind="access_token_expired")
    _, refreshed = _synced(cloud, person, "refreshed")
    _fault(dexcom, kind="status", status=200, body="error", path="/v3/users/self/egvs")
    _, unreadable = _synced(cloud, person, "unreadable")
    first = _queued(person)["error"]
    dexcom.delete("/_sim/faults").raise_for_status()
    _fault(dexcom, kind="user_revoked")
    second = _queued(person)["error"]
    over = _synced(cloud, person, "over")
    return Days(
        good, refreshed, unreadable, over, tuple(error and error["type"] for error in (first, second))
    )


def test_a_good_sync_has_the_right_numbers(days: Days) -> None:
    """Volume, age, calls, latency, failure rate and budget, as the caller was told."""
    answer, good = days.good
    counts = answer.json()["counts"]

    assert (good["syncs", "succeeded"], good["sync_failure_percent",]) == ([1], [0])
    assert good["readings_stored",] == [counts["stored"]]
    assert (good["readings_revised",], good["readings_invalid",]) == (
        [counts["revised"]],
        [counts["invalid"]],
    )
    assert good["provider_calls", "egvs"] == good["provider_succeeded", "egvs"] == [1]
    assert -600 < good["data_age_s",][0] < 7 * 86_400
    assert good["api_requests", "2xx"] == [1]
    assert 0 < good["api_latency_ms",][0] < 29_000
    assert all(0 < percent < 100 for percent in good.get(("quota_used_percent",), []))


def test_a_refresh_is_counted_once_and_fails_nothing(days: Days) -> None:
    """The refused call, the refresh, and the sync that succeeded all the same."""
    assert days.refreshed["token_refreshes", "succeeded"] == [1]
    assert days.refreshed["provider_errors", "TokenRejected"] == [1]
    assert (days.refreshed["syncs", "succeeded"], days.refreshed["sync_failure_percent",]) == ([1], [0])


def test_failed_syncs_say_why(days: Days) -> None:
    """An answer nobody can read is not a person who has to log in again."""
    answer, over = days.over

    assert (days.unreadable["syncs", "failed"], days.unreadable["sync_failure_percent",]) == ([1], [100])
    assert days.unreadable["sync_errors", "ContractBroken"] == [1]
    assert days.of_the_worker == ("ContractBroken", "reauthorization-needed")
    assert (answer.status_code, over["syncs", "failed"], over["api_requests", "4xx"]) == (409, [1], [1])


def test_webhooks_are_counted_by_what_became_of_them(webhooks: Brought) -> None:
    """As the sender was told, once each."""
    for status, outcome, (answered, found) in (
        (202, "accepted", webhooks.accepted),
        (200, "duplicate", webhooks.duplicate),
        (401, "unproven", webhooks.unproven),
        (500, "failed", webhooks.failed),
    ):
        counted = {series_[1]: values for series_, values in found.items() if series_[0] == "webhooks"}
        assert (answered, counted) == (status, {outcome: [1]})
        assert found["api_requests", f"{status // 100}xx"] == [1]


@pytest.mark.usefixtures("webhooks")
def test_how_soon_a_webhook_is_stored_is_measured_where_it_is_stored(cloud: Stack, now: datetime) -> None:
    """By the worker, which has taken it from the queue; and not in other units than seconds."""
    worker = function_names(cloud.emulator)["WorkerFunction"]
    found: list[float] = []

    def is_measured() -> bool:
        found[:] = measured(lines_of(cloud))[worker, "webhook_processing_s"]
        return bool(found)

    assert wait_until(is_measured, WAIT_S_MAX)
    since_start_s = (SystemClock().now() - now).total_seconds()
    assert all(0 <= processing_s < since_start_s for processing_s in found)


@pytest.mark.usefixtures("days")
def test_no_event_goes_uncounted(cloud: Stack) -> None:
    """What the publisher's lines tell and what its metrics count is the same, over all it did so far."""
    publisher = function_names(cloud.emulator)["PublishEventBridgeFunction"]
    told: list[tuple[float, ...]] = []
    counted: list[tuple[float, ...]] = []
    delays: list[float] = []

    def agree() -> bool:
        lines = [line for line in lines_of(cloud) if line.get("function") == publisher]
        published = [line for line in lines if line["message"] == "changes published"]
        troubled = [line for line in lines if line.get("trouble")]
        told[:] = [
            (
                sum(line["events"] for line in published),
                sum(line["set_aside"] for line in published),
                len(troubled),
            )
        ]
        found = measured(lines)
        names = ("events_published", "records_set_aside", "publish_failures")
        counted[:] = [tuple(sum(found[publisher, name]) for name in names)]
        delays[:] = found[publisher, "publish_delay_s"]
        return told == counted and told[0][0] > 0

    assert wait_until(agree, WAIT_S_MAX), (told, counted)
    assert all(0 <= delay_s < 600 for delay_s in delays)


@pytest.mark.usefixtures("days", "webhooks")
def test_every_alarm_listens_to_what_the_stack_said(cloud: Stack) -> None:
    """An alarm on a series that nobody writes never rings; here each was written, by its own function."""
    names = function_names(cloud.emulator)
    wanted = {
        (names[one.function], one.metric, *[value for _, value in one.dimensions[1:]])
        for one in series()
        if one.namespace == NAMESPACE and one.listener.endswith("Alarm")
        if one.function in names  # RabbitMQ's publisher is not in every stack.
    }
    missing: set[tuple[str, ...]] = set()

    def is_said() -> bool:
        missing.clear()
        missing.update(wanted - measured(lines_of(cloud)).keys())
        return not missing

    assert wait_until(is_said, WAIT_S_MAX), missing


@pytest.mark.usefixtures("days")
def test_no_sync_of_the_worker_goes_uncounted(cloud: Stack) -> None:
    """What its lines tell and what its metrics count is the same, over everything it did so far."""
    worker = function_names(cloud.emulator)["WorkerFunction"]
    told: dict[str, int] = defaultdict(int)
    counted: dict[str, float] = defaultdict(float)

    def agree() -> bool:
        lines = [line for line in lines_of(cloud) if line.get("function") == worker]
        told.clear()
        counted.clear()
        for line in lines:
            if line["message"] == "order carried out":
                told[line.get("status") or ("busy" if line["busy"] else "over")] += 1
        for series_, values in measured(lines).items():
            if series_[1] == "syncs" and series_[2] != "crashed":
                counted[series_[2]] += sum(values)
        return dict(told) == dict(counted)

    assert wait_until(agree, WAIT_S_MAX), (dict(told), dict(counted))
