"""The metrics that operators see, read from the deployed stack's log."""

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

pytestmark = [pytest.mark.e2e, pytest.mark.integration]

_USER, _SIMULATED = "patient-2", "SandboxUser6"


@pytest.fixture(scope="module")
def person(cloud: Stack, caller: Any) -> Api:
    """Return the API as a user who has just connected and whose history is stored."""
    token = cloud.callers.token(_USER)
    demo.connect(cloud.api, token, _USER, _SIMULATED)
    demo.wait_for_backfill(cloud.api, token, _USER)
    api: Api = caller(_USER)
    return api


def _synced(cloud: Stack, person: Api, name: str) -> tuple[httpx.Response, Found]:
    """Run a sync and return its metrics; try again while a poll runs."""
    answers: list[httpx.Response] = []

    def has_run() -> bool:
        correlation = {"X-Correlation-ID": f"{name}-{len(answers)}"}
        answers.append(person.post("/api/bg/patient-2/sync", None, **correlation))
        return not answers[-1].json().get("type", "").endswith("/sync-running")

    assert wait_until(has_run, WAIT_S_MAX)
    return answers[-1], caused_by(cloud, f"{name}-{len(answers) - 1}")


def _queued(person: Api) -> dict[str, Any]:
    """Queue a sync and return its job after the worker has finished it."""
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
class WebhookOutcomes:
    """For each kind of webhook: the status and the metrics."""

    accepted: tuple[int, Found]
    duplicate: tuple[int, Found]
    unsigned: tuple[int, Found]
    failed: tuple[int, Found]


@pytest.fixture(scope="module")
def webhooks(cloud: Stack, http: httpx.Client, person: Api) -> WebhookOutcomes:
    """Send a valid webhook, its duplicate, one without a signature, and one that no gateway would pass on."""
    assert person.get(f"/api/bg/{_USER}/latest").status_code == 200
    now = SystemClock().now()
    body = json.dumps(one_reading(now)).encode()
    proof = signed_headers(cloud.webhook_secret, "msg_metrics", body, now)

    def sent(name: str, headers: dict[str, str]) -> tuple[int, Found]:
        headers = {**headers, "X-Correlation-ID": name}
        answer = http.post(f"/api/bg/{_USER}/webhook", content=body, headers=headers)
        return answer.status_code, caused_by(cloud, name, last="webhooks")

    return WebhookOutcomes(
        sent("webhook-taken", proof), sent("webhook-again", proof), sent("webhook-bare", {}), _broken(cloud)
    )


def _broken(cloud: Stack) -> tuple[int, Found]:
    """Send a body that is not text, the only way to cause an internal failure without damaging the stack."""
    event = json.loads((CHECKOUT / "events" / "webhook_records.json").read_text()) | {"body": 5}
    event["headers"]["x-correlation-id"] = "webhook-broken"
    function = function_names(cloud.emulator)["WebhookFunction"]
    answer = cloud.emulator.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event).encode())
    return json.load(answer["Payload"])["statusCode"], caused_by(cloud, "webhook-broken", last="webhooks")


@dataclass(frozen=True, slots=True)
class SyncOutcomes:
    """The answer and the metrics of each sync."""

    good: tuple[httpx.Response, Found]
    refreshed: Found
    unreadable: Found
    over: tuple[httpx.Response, Found]
    of_the_worker: tuple[str | None, ...]  # The errors of the orders that it ran.


@pytest.fixture(scope="module")
def outcomes(cloud: Stack, dexcom: httpx.Client, person: Api) -> SyncOutcomes:
    """Run syncs: a successful one, one with a refresh, an unreadable answer, and an ended connection."""
    person.get(f"/api/bg/{_USER}/latest")
    # A tick of this test, because the next one of the schedule may be a minute away.
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
    return SyncOutcomes(
        good, refreshed, unreadable, over, tuple(error and error["type"] for error in (first, second))
    )


def test_a_successful_sync_writes_the_right_metrics(outcomes: SyncOutcomes) -> None:
    """The metrics of volume, age, calls, latency, failure rate and budget match the answer."""
    answer, good = outcomes.good
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


def test_a_refresh_is_left_to_the_worker(outcomes: SyncOutcomes) -> None:
    """A request has too little time for a call that cannot be repeated, so its sync is queued."""
    assert outcomes.refreshed["provider_errors", "TokenRejected"] == [1]
    assert outcomes.refreshed["provider_errors", "OutOfTime"] == [1]
    assert outcomes.refreshed["syncs", "deferred"] == [1]
    assert ("token_refreshes", "succeeded") not in outcomes.refreshed


def test_failed_syncs_are_counted_by_their_error(outcomes: SyncOutcomes) -> None:
    """An unreadable answer and a required login are counted under different errors."""
    answer, over = outcomes.over

    assert (outcomes.unreadable["syncs", "failed"], outcomes.unreadable["sync_failure_percent",]) == (
        [1],
        [100],
    )
    assert outcomes.unreadable["sync_errors", "ContractBroken"] == [1]
    assert outcomes.of_the_worker == ("ContractBroken", "reauthorization-needed")
    # A request for a user who has to log in again is refused before a sync.
    assert (answer.status_code, over["api_requests", "4xx"], over.get(("syncs", "failed"))) == (
        409,
        [1],
        None,
    )


def test_webhooks_are_counted_by_their_outcome(webhooks: WebhookOutcomes) -> None:
    """Each webhook is counted once, under the outcome that the sender got."""
    for status, outcome, (answered, found) in (
        (202, "accepted", webhooks.accepted),
        (200, "duplicate", webhooks.duplicate),
        (401, "unproven", webhooks.unsigned),
        (500, "failed", webhooks.failed),
    ):
        counted = {series_[1]: values for series_, values in found.items() if series_[0] == "webhooks"}
        assert (answered, counted) == (status, {outcome: [1]})
        assert found["api_requests", f"{status // 100}xx"] == [1]


@pytest.mark.usefixtures("webhooks")
def test_the_worker_measures_the_delay_of_a_webhook(cloud: Stack, now: datetime) -> None:
    """The worker that stores a webhook's reading measures the delay, in seconds."""
    worker = function_names(cloud.emulator)["WorkerFunction"]
    found: list[float] = []

    def is_measured() -> bool:
        found[:] = measured(lines_of(cloud))[worker, "webhook_processing_s"]
        return bool(found)

    assert wait_until(is_measured, WAIT_S_MAX)
    since_start_s = (SystemClock().now() - now).total_seconds()
    assert all(0 <= processing_s < since_start_s for processing_s in found)


@pytest.mark.usefixtures("outcomes")
def test_every_published_event_is_counted(cloud: Stack) -> None:
    """The publisher's log lines and its metrics have the same totals."""
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


@pytest.fixture(scope="module")
def wrong_tokens(http: httpx.Client) -> None:
    """Send a wrong token to each function that readers call."""
    for name in ("latest", "statistics", "completeness"):
        answer = http.get(f"/api/shared/{name}", headers={"Authorization": "Bearer watch-0000000000000000"})
        assert answer.status_code == 401
    wrong = http.get("/api/v1/entries.json", params={"token": "watch-0000000000000000"})
    assert wrong.status_code == 401


@pytest.mark.usefixtures("outcomes", "webhooks", "wrong_tokens")
def test_every_alarm_reads_a_series_that_was_written(cloud: Stack) -> None:
    """The function of each alarm has written the alarm's series.

    An alarm on another series would never fire.
    """
    names = function_names(cloud.emulator)
    wanted = {
        (names[one.function], one.metric, *[value for _, value in one.dimensions[1:]])
        for one in series()
        if one.namespace == NAMESPACE and one.listener.endswith("Alarm")
        if one.function in names  # RabbitMQ's publisher exists in some stacks only.
        if one.dimensions[-1][1] != "nightscout"  # No user of this stack has one.
    }
    missing: set[tuple[str, ...]] = set()

    def is_said() -> bool:
        missing.clear()
        missing.update(wanted - measured(lines_of(cloud)).keys())
        return not missing

    assert wait_until(is_said, WAIT_S_MAX), missing


@pytest.mark.usefixtures("outcomes")
def test_every_sync_of_the_worker_is_counted(cloud: Stack) -> None:
    """The worker's log lines and its metrics have the same totals."""
    worker = function_names(cloud.emulator)["WorkerFunction"]
    told: dict[str, int] = defaultdict(int)
    counted: dict[str, float] = defaultdict(float)

    def agree() -> bool:
        lines = [line for line in lines_of(cloud) if line.get("function") == worker]
        told.clear()
        counted.clear()
        for line in lines:
            if line["message"] == "order carried out":
                not_run = "busy" if line.get("busy") else "superseded" if line.get("superseded") else "over"
                told[line.get("status") or not_run] += 1
            told["succeeded"] += len(line.get("polls", ()))
        for series_, values in measured(lines).items():
            if series_[1] == "syncs" and series_[2] != "crashed":
                counted[series_[2]] += sum(values)
        return dict(told) == dict(counted)

    assert wait_until(agree, WAIT_S_MAX), (dict(told), dict(counted))
