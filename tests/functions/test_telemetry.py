"""Metrics and log lines of the functions, with the simulated provider in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest

from bg_ingest.clock import SystemClock, new_id
from bg_ingest.providers.seam import Endpoint, Tokens
from bg_ingest.readings.stored.hour_items import cause_of
from bg_ingest.telemetry import metrics
from bg_ingest.wiring import provider_parts, queue_parts
from bg_ingest.wiring.process import readings_table, users_table
from dexcom_sim.oauth import RegisteredApplication
from local.paths import CHECKOUT, PYTHONPATH
from local.ports import free_port
from tests.functions.conftest import part
from tests.functions.webhook_sending import sent, worked
from tests.support.logins import store_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functions.conftest import FunctionsWorld

CALLBACK = "https://app.example/callback"
PERSON = "SandboxUser7"
Printed = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The URL of a simulated Dexcom."""
    command = [sys.executable, "-m", "dexcom_sim", "--port", "0", "--upload-delay-seconds", "0"]
    with subprocess.Popen(  # noqa: S603 - our own command.
        command, cwd=CHECKOUT, env={"PYTHONPATH": PYTHONPATH}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()


@pytest.fixture
def dexcom(world: FunctionsWorld, address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A client of the simulated Dexcom, to which the user `demo` is connected."""
    own = RegisteredApplication()
    world.restarted(
        monkeypatch,
        DEXCOM_API_BASE_URL=address,
        DEXCOM_CLIENT_ID=own.client_id,
        DEXCOM_CLIENT_SECRET=own.client_secret,
    )
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
        client.post("/_sim/reset")
        _connect(client)
        yield client
        part(provider_parts.dexcom).http(address).close()


def _connect(client: httpx.Client, user_id: str = "demo") -> None:
    application, now = RegisteredApplication(), SystemClock().now()
    asked = {
        "client_id": application.client_id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "offline_access",
        "state": "state",
        "sim_user": PERSON,
    }
    back = client.get("/v3/oauth2/login", params=asked).headers["location"]
    form = {
        "client_id": application.client_id,
        "client_secret": application.client_secret,
        "grant_type": "authorization_code",
        "code": httpx.URL(back).params["code"],
        "redirect_uri": CALLBACK,
    }
    given = client.post("/v3/oauth2/token", data=form).json()
    tokens = Tokens(given["access_token"], given["refresh_token"], now + timedelta(hours=2))
    store_tokens(part(provider_parts.vault), user_id, Endpoint("dexcom", "custom"), tokens, data_from=now)
    part(queue_parts.states).start_polling(user_id, 900, now - timedelta(days=30))


def _lines(capsys: Printed) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def _measured(lines: list[dict[str, Any]]) -> dict[tuple[str, str | None], list[float]]:
    """Return the values of each metric and dimension, as CloudWatch reads them."""
    found: dict[tuple[str, str | None], list[float]] = defaultdict(list)
    for line in lines:
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
            (names,) = directive["Dimensions"]
            of = line[names[1]] if len(names) > 1 else None
            for metric in directive["Metrics"]:
                value = line[metric["Name"]]
                found[metric["Name"], of] += value if isinstance(value, list) else [value]
    return found


@pytest.mark.usefixtures("dexcom")
def test_metrics_of_a_successful_poll(world: FunctionsWorld, capsys: Printed) -> None:
    """One sync, its stored readings, one call that succeeded, and the age of the newest reading."""
    before = SystemClock().now()
    assert world.invoke("worker", world.event("worker_poll")) == {"batchItemFailures": []}

    known = part(queue_parts.states).get("demo")
    assert known is not None
    assert known.data_until is not None
    oldest_s, youngest_s = ((at - known.data_until).total_seconds() for at in (SystemClock().now(), before))
    lines = _lines(capsys)
    (told,) = [line for line in lines if line["message"] != "metrics"]
    assert told["message"] == "polls carried out"
    (carried_out,) = told["polls"]
    found = _measured(lines)
    assert found["syncs", "succeeded"] == [1]
    assert found["readings_stored", None] == [carried_out["stored"]]
    assert carried_out["stored"] > 0
    assert (found["readings_revised", None], found["readings_invalid", None]) == ([0], [0])
    # The simulated sensor has gaps, so the age of its newest reading depends on the time of day.
    assert youngest_s <= found["data_age_s", None][0] <= oldest_s
    assert found["data_age_of_provider_s", "dexcom"] == found["data_age_s", None]
    assert (found["sync_failure_percent", None], found["readings_invalid_percent", None]) == ([0], [0])
    assert found["poll_overdue_s", None] == []
    # The first block is one call of 60,000.
    assert found["quota_used_percent", None] == pytest.approx([100 / 60_000])
    assert (found["provider_calls", "egvs"], found["provider_succeeded", "egvs"]) == ([1], [1])
    assert (found["calls_of_provider", "dexcom"], found["failures_of_provider", "dexcom"]) == ([1], [0])
    assert found["failure_of_provider_percent", "dexcom"] == [0]
    assert carried_out["calls"] == 1
    assert found["latency_of_provider_ms", "dexcom"] == found["provider_latency_ms", "egvs"]


def test_metrics_of_a_deferred_poll(world: FunctionsWorld, dexcom: httpx.Client, capsys: Printed) -> None:
    """Calls, retries, errors by class, and a deferred sync."""
    world.invoke("worker", world.event("worker_poll"))
    _lines(capsys)
    dexcom.post("/_sim/faults", json={"kind": "status", "status": 503}).raise_for_status()
    event = world.event("worker_poll")
    later = json.loads(event["Records"][0]["body"]) | {"job_id": new_id(SystemClock().now())}
    event["Records"][0]["body"] = json.dumps(later)
    # The order is queued again as a new message, so the received one is deleted.
    assert world.invoke("worker", event) == {"batchItemFailures": []}

    found = _measured(_lines(capsys))
    calls = found["provider_calls", "egvs"][0]
    assert calls > 1
    assert found["provider_retries", "egvs"] == [calls - 1]
    assert found["provider_errors", "Unavailable"] == [calls]
    assert found["provider_succeeded", "egvs"] == [0]
    assert len(found["provider_wait_ms", "egvs"]) == calls - 1
    assert found["syncs", "deferred"] == [1]
    # In an outage each sync is deferred and none fails: the failure rate and the data age must show it.
    assert (found["sync_failure_percent", None], found["sync_errors", "Unavailable"]) == ([100], [1])
    assert len(found["data_age_s", None]) == 1


def test_metrics_of_a_revoked_connection(
    world: FunctionsWorld, dexcom: httpx.Client, capsys: Printed
) -> None:
    """One failed sync and one failed token refresh; the poll tries the token without and with the lease."""
    dexcom.post("/_sim/faults", json={"kind": "user_revoked", "user": PERSON}).raise_for_status()
    world.invoke("worker", world.event("worker_poll"))

    found = _measured(_lines(capsys))
    assert found["syncs", "failed"] == [1]
    assert (found["sync_failure_percent", None], found["sync_errors", "reauthorization-needed"]) == (
        [100],
        [1],
    )
    assert found["token_refreshes", "failed"] == [1]
    assert found["provider_errors", "TokenRejected"] == [2]


def test_metrics_of_an_unreadable_provider_response(
    world: FunctionsWorld, dexcom: httpx.Client, capsys: Printed
) -> None:
    """The call succeeded with 200, and the sync failed because its body is invalid."""
    unreadable = {"kind": "status", "status": 200, "body": "error", "path": "/v3/users/self/egvs"}
    dexcom.post("/_sim/faults", json=unreadable).raise_for_status()
    world.invoke("worker", world.event("worker_poll"))

    found = _measured(_lines(capsys))
    assert (found["sync_errors", "ContractBroken"], found["syncs", "failed"]) == ([1], [1])


def test_metrics_have_the_share_of_invalid_records(
    world: FunctionsWorld, dexcom: httpx.Client, capsys: Printed
) -> None:
    """An alarm can distinguish one invalid record from a response of invalid records only."""
    odd = {"kind": "odd_values", "values": [-7]}
    dexcom.post("/_sim/faults", json=odd).raise_for_status()
    world.invoke("worker", world.event("worker_poll"))

    found = _measured(_lines(capsys))
    assert found["readings_invalid", None][0] > 0
    assert found["readings_invalid_percent", None] == [100]


def test_metrics_of_a_tick(world: FunctionsWorld, capsys: Printed) -> None:
    """A second tick of the same minute counts nothing."""
    for _ in range(2):
        world.invoke("dispatch", world.event("dispatch_tick"))

    now = SystemClock().now()
    minute = int(now.timestamp()) // 60
    body = {"interval_s": 900, "number": minute % 15, "first": minute, "last": minute, "at_s": minute * 60}
    event = world.event("dispatch_shard")
    event["Records"][0]["body"] = json.dumps(json.loads(event["Records"][0]["body"]) | body)
    world.invoke("dispatch", event)

    found = _measured(_lines(capsys))
    assert found["periods_served", "incremental"][0] == 1
    assert set(found["poll_stretch_percent", None]) == {100}
    assert sum(found["users_dispatched", "incremental"]) <= 1
    assert sum(found["periods_served", "incremental"]) <= 2  # A minute may have ended in between.


@pytest.mark.usefixtures("dexcom")
def test_metrics_of_a_duplicate_order(world: FunctionsWorld, capsys: Printed) -> None:
    """A second delivery of a finished order counts as `over` and stores nothing."""
    for _ in range(2):
        world.invoke("worker", world.event("worker_range"))

    found = _measured(_lines(capsys))
    assert (found["syncs", "succeeded"], found["syncs", "over"]) == ([1], [1])
    assert (len(found["readings_stored", None]), found["sync_failure_percent", None]) == (1, [0])


def test_metrics_of_an_outage(world: FunctionsWorld, dexcom: httpx.Client, capsys: Printed) -> None:
    """The breaker opens once, and refused calls are counted."""
    dexcom.post("/_sim/faults", json={"kind": "status", "status": 503}).raise_for_status()
    for _ in range(4):
        world.invoke("worker", world.event("worker_poll"))

    found = _measured(_lines(capsys))
    assert found["breaker_transitions", "open"] == [1]
    assert sum(found["provider_refused", "egvs"]) > 0


@pytest.mark.usefixtures("dexcom")
def test_a_connected_user_without_polls_is_repaired_and_counted(
    world: FunctionsWorld, capsys: Printed
) -> None:
    """The daily look polls such a user again; for a user who is polled it does nothing."""
    states = part(queue_parts.states)
    event = world.event("worker_poll")
    message = json.loads(event["Records"][0]["body"])
    message |= {"kind": "reconcile", "repairs": True}
    user_id = message["user_id"]
    event["Records"][0]["body"] = json.dumps(message)
    world.invoke("worker", event)
    assert ("repairs", "polling") not in _measured(_lines(capsys))

    states.table.delete(user_id, "sync")
    world.invoke("worker", event)
    found, state = _measured(_lines(capsys)), states.get(user_id)
    assert (found["repairs", "polling"], found["syncs", "succeeded"]) == ([1], [1])
    assert state is not None
    assert state.slot is not None


def test_metrics_of_requests_by_status_class(world: FunctionsWorld, capsys: Printed) -> None:
    """Each request also counts its latency."""
    for name in ("query_latest", "query_range", "query_forbidden"):
        world.invoke("query", world.event(name))

    lines = _lines(capsys)
    found = _measured(lines)
    assert (found["api_requests", "2xx"], found["api_requests", "4xx"]) == ([1, 1], [1])
    answered = [line["latency_ms"] for line in lines if line["message"] == "request answered"]
    assert found["api_latency_ms", None] == pytest.approx(answered, abs=0.1)


def test_metrics_of_an_internal_error(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    """An internal error counts as 5xx."""
    world.restarted(monkeypatch, DYNAMODB_TABLE="no-such-table")
    world.invoke("query", world.event("query_latest"))

    assert _measured(_lines(capsys))["api_requests", "5xx"] == [1]


def test_metrics_of_a_crashed_sync(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    """The order stays in the queue, and the log has its correlation id."""
    world.restarted(monkeypatch, USERS_TABLE="no-such-table")
    world.invoke("worker", world.event("worker_poll"))

    lines = _lines(capsys)
    assert _measured(lines)["syncs", "crashed"] == [1]
    (order,) = world.event("worker_poll")["Records"]
    (failed,) = [line for line in lines if line["message"] == "order failed"]
    assert failed["correlation_id"] == json.loads(order["body"])["correlation_id"]


def test_each_invocation_starts_its_metrics_at_zero(world: FunctionsWorld, capsys: Printed) -> None:
    """A warm function does not repeat the metrics of the invocation before."""
    for _ in range(2):
        world.invoke("query", world.event("query_latest"))
        assert _measured(_lines(capsys))["api_requests", "2xx"] == [1]


@pytest.mark.usefixtures("dexcom")
def test_each_worker_thread_logs_its_own_correlation_id(world: FunctionsWorld, capsys: Printed) -> None:
    """One id shows one whole sync, with its calls to the provider, and no other."""
    (record,) = world.event("worker_poll")["Records"]
    names = [f"order-{number}" for number in range(4)]
    records = [
        record
        | {
            "messageId": name,
            "body": json.dumps(
                json.loads(record["body"]) | {"correlation_id": name, "job_id": f"{number:028x}"}
            ),
        }
        for number, name in enumerate(names)
    ]
    world.invoke("worker", {"Records": records})

    lines = [line for line in _lines(capsys) if line["message"] != "metrics"]
    told = {line["correlation_id"]: line for line in lines if line["message"] == "order carried out"}
    polled = {poll["correlation_id"]: poll for line in lines for poll in line.get("polls", ())}
    assert sorted([*told, *polled]) == names
    # A thread that took the lease has called the provider, under its own id.
    assert {poll["calls"] for poll in polled.values()} == {1}
    assert all(line["busy"] for line in told.values())


def test_a_poll_in_a_batch_costs_few_bytes_of_log(
    world: FunctionsWorld, dexcom: httpx.Client, capsys: Printed
) -> None:
    """The bill of docs/operations.md counts them, with the poll's share of the metrics."""
    (record,) = world.event("worker_poll")["Records"]
    order, records = json.loads(record["body"]), []
    for number in range(10):
        user_id = f"user-{number}"
        _connect(dexcom, user_id)
        part(queue_parts.states).start_polling(user_id, 900, SystemClock().now() - timedelta(days=1))
        body = order | {"user_id": user_id, "correlation_id": str(uuid4()), "job_id": f"{number:028x}"}
        records.append(record | {"messageId": user_id, "body": json.dumps(body)})
    world.invoke("worker", {"Records": records})

    printed = capsys.readouterr().out
    (told,) = [line for line in map(json.loads, printed.splitlines()) if "polls" in line]
    assert len(told["polls"]) == len(records)
    assert len(printed) / len(records) < 600


def test_metrics_of_webhooks_by_outcome(world: FunctionsWorld, capsys: Printed) -> None:
    """One unauthenticated webhook, one accepted, and the time until its readings are stored."""
    sent(world, world.event("webhook_unsigned"))
    sent(world, world.webhook("records"))
    worked(world)

    found = _measured(_lines(capsys))
    assert (found["webhooks", "unproven"], found["webhooks", "accepted"]) == ([1], [1])
    assert 0 <= found["webhook_processing_s", None][0] < timedelta(minutes=10).total_seconds()


@pytest.mark.usefixtures("dexcom")
def test_stored_items_have_the_correlation_id_of_their_cause(world: FunctionsWorld) -> None:
    """The hours of a sync and the connection have it; events copy it."""
    world.invoke("worker", world.event("worker_poll"))
    hours = part(readings_table).query("pk = :user", {":user": "demo"})
    connection = part(users_table).get("demo", "connection")

    assert "0f0e7c9c-5b0f-4d3b-9f5e-2f8f0c1d2e3a" in {cause_of(hour) for hour in hours}
    assert connection is not None
    assert connection["caused_by"]


def test_metrics_of_publishing(
    world: FunctionsWorld, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events, their delay, records set aside, events published again, and a sink that is down."""
    batch = world.event("publish_readings")
    batch["Records"] += world.event("publish_unreadable")["Records"]
    now_s = SystemClock().now().timestamp()
    for record in batch["Records"]:
        record["dynamodb"]["ApproximateCreationDateTime"] = now_s - 300
    world.invoke("publish", batch)
    found = _measured(_lines(capsys))

    assert found["events_published", None] == [1]
    assert (found["records_set_aside", None], found["publish_failures", None]) == ([1], [0])
    assert 300 <= found["publish_delay_s", None][0] < 600

    order = world.event("publish_again")
    order["republish"] |= {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
    answer = world.invoke("publish", order)
    assert _measured(_lines(capsys))["events_republished", None] == [answer["events"]]

    world.restarted(monkeypatch, RABBITMQ_URL=f"amqp://guest:guest@127.0.0.1:{free_port()}")
    world.invoke("publish", batch)
    found = _measured(_lines(capsys))
    assert (found["events_published", None], found["publish_failures", None]) == ([0], [1])


def test_every_metric_is_tested_here() -> None:
    """A test of the functions names each metric of the service."""
    source = "".join(path.read_text() for path in (CHECKOUT / "tests" / "functions").glob("test_*.py"))

    assert not [metric.name for metric in metrics.ALL if f'"{metric.name}"' not in source]
