"""What the functions tell about good and bad days, with the simulated Dexcom as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bg_ingest.clock import SystemClock
from bg_ingest.providers.seam import Endpoint, Tokens
from bg_ingest.readings.stored.hour_items import cause_of
from bg_ingest.telemetry import metrics
from bg_ingest.wiring import provider, stores
from dexcom_sim.oauth import RegisteredApplication
from local.paths import CHECKOUT, PYTHONPATH
from local.ports import free_port
from tests.functions.webhook_sending import sent, worked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functions.conftest import World

CALLBACK = "https://app.example/callback"
PERSON = "SandboxUser7"
Printed = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where the simulated Dexcom answers."""
    command = [sys.executable, "-m", "dexcom_sim", "--port", "0", "--upload-delay-seconds", "0"]
    with subprocess.Popen(  # noqa: S603 - our own command.
        command, cwd=CHECKOUT, env={"PYTHONPATH": PYTHONPATH}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()


@pytest.fixture
def dexcom(world: World, address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """The user "demo" is connected to it."""
    own = RegisteredApplication()
    world.restarted(
        monkeypatch,
        DEXCOM_API_BASE_URL=address,
        DEXCOM_CLIENT_ID=own.client_id,
        DEXCOM_CLIENT_SECRET=own.client_secret,
    )
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
        client.post("/_sim/reset")
        _connect(client, address)
        yield client
        provider.http(address).close()


def _connect(client: httpx.Client, address: str) -> None:
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
    provider.vault().store("demo", Endpoint("dexcom", "custom", address), tokens, data_from=now)


def _lines(capsys: Printed) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def _measured(lines: list[dict[str, Any]]) -> dict[tuple[str, str | None], list[float]]:
    """The values of each metric and dimension, read as CloudWatch would."""
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
def test_a_good_poll_is_measured(world: World, capsys: Printed) -> None:
    """One sync, what it stored, one call that succeeded, and how old the newest reading is."""
    before = SystemClock().now()
    assert world.invoke("worker", world.event("worker_poll")) == {"batchItemFailures": []}

    known = stores.states().get("demo")
    assert known is not None
    assert known.data_until is not None
    oldest_s, youngest_s = ((at - known.data_until).total_seconds() for at in (SystemClock().now(), before))
    lines = _lines(capsys)
    (carried_out,) = [line for line in lines if line["message"] == "order carried out"]
    found = _measured(lines)
    assert found["syncs", "succeeded"] == [1]
    assert found["readings_stored", None] == [carried_out["stored"]]
    assert carried_out["stored"] > 0
    assert (found["readings_revised", None], found["readings_invalid", None]) == ([0], [0])
    # The simulated sensor has gaps: how old its newest is depends on the time of day.
    assert youngest_s <= found["data_age_s", None][0] <= oldest_s
    assert (found["sync_failure_percent", None], found["readings_invalid_percent", None]) == ([0], [0])
    # The first block is one call of 60,000.
    assert found["quota_used_percent", None] == pytest.approx([100 / 60_000])
    assert (found["provider_calls", "egvs"], found["provider_succeeded", "egvs"]) == ([1], [1])
    (called,) = [line for line in lines if line["message"] == "provider called"]
    assert found["provider_latency_ms", "egvs"][0] == pytest.approx(called["latency_ms"], abs=0.1)


def test_a_failed_poll_is_measured(world: World, dexcom: httpx.Client, capsys: Printed) -> None:
    """Calls, retries, errors by class, and a sync that was put off."""
    world.invoke("worker", world.event("worker_poll"))
    _lines(capsys)
    dexcom.post("/_sim/faults", json={"kind": "status", "status": 503}).raise_for_status()
    # The order waits as a new message: nothing stays of the one that was received.
    assert world.invoke("worker", world.event("worker_poll")) == {"batchItemFailures": []}

    found = _measured(_lines(capsys))
    calls = found["provider_calls", "egvs"][0]
    assert calls > 1
    assert found["provider_retries", "egvs"] == [calls - 1]
    assert found["provider_errors", "Unavailable"] == [calls]
    assert found["provider_succeeded", "egvs"] == [0]
    assert len(found["provider_wait_ms", "egvs"]) == calls - 1
    assert found["syncs", "deferred"] == [1]
    # In an outage every sync is put off and none is ever called failed: the rate and the age must show it.
    assert (found["sync_failure_percent", None], found["sync_errors", "Unavailable"]) == ([100], [1])
    assert len(found["data_age_s", None]) == 1


def test_a_revoked_connection_is_a_failed_sync_and_a_failed_refresh(
    world: World, dexcom: httpx.Client, capsys: Printed
) -> None:
    """The two numbers an operator looks at when people drop out."""
    dexcom.post("/_sim/faults", json={"kind": "user_revoked", "user": PERSON}).raise_for_status()
    world.invoke("worker", world.event("worker_poll"))

    found = _measured(_lines(capsys))
    assert found["syncs", "failed"] == [1]
    assert (found["sync_failure_percent", None], found["sync_errors", "reauthorization-needed"]) == (
        [100],
        [1],
    )
    assert found["token_refreshes", "failed"] == [1]
    assert found["provider_errors", "TokenRejected"] == [1]


def test_an_answer_nobody_can_read_has_a_number_of_its_own(
    world: World, dexcom: httpx.Client, capsys: Printed
) -> None:
    """A 200 that keeps no contract: the call succeeded, the sync did not."""
    unreadable = {"kind": "status", "status": 200, "body": "error", "path": "/v3/users/self/egvs"}
    dexcom.post("/_sim/faults", json=unreadable).raise_for_status()
    world.invoke("worker", world.event("worker_poll"))

    found = _measured(_lines(capsys))
    assert (found["sync_errors", "ContractBroken"], found["syncs", "failed"]) == ([1], [1])


def test_records_nobody_can_read_show_as_a_share(world: World, dexcom: httpx.Client, capsys: Printed) -> None:
    """One bad record and all bad records are not the same alarm."""
    odd = {"kind": "odd_values", "values": [-7]}
    dexcom.post("/_sim/faults", json=odd).raise_for_status()
    world.invoke("worker", world.event("worker_poll"))

    found = _measured(_lines(capsys))
    assert found["readings_invalid", None][0] > 0
    assert found["readings_invalid_percent", None] == [100]


def test_a_tick_is_measured_by_what_it_served(world: World, capsys: Printed) -> None:
    """Each minute once: a doubled tick serves nothing, and the alarm listens for silence."""
    for _ in range(2):
        world.invoke("dispatch", world.event("dispatch_tick"))

    found = _measured(_lines(capsys))
    assert found["periods_served", "incremental"][0] == 1
    assert sum(found["periods_served", "incremental"]) <= 2  # A minute may have ended in between.
    assert sum(found["users_dispatched", "incremental"]) <= 1


@pytest.mark.usefixtures("dexcom")
def test_an_order_that_is_over_is_no_sync(world: World, capsys: Printed) -> None:
    """A doubled message does nothing, and counts nothing a second time."""
    for _ in range(2):
        world.invoke("worker", world.event("worker_range"))

    found = _measured(_lines(capsys))
    assert (found["syncs", "succeeded"], found["syncs", "over"]) == ([1], [1])
    assert (len(found["readings_stored", None]), found["sync_failure_percent", None]) == (1, [0])


def test_an_outage_opens_the_breaker_once(world: World, dexcom: httpx.Client, capsys: Printed) -> None:
    """The change is counted, and the calls that are not made any more."""
    dexcom.post("/_sim/faults", json={"kind": "status", "status": 503}).raise_for_status()
    for _ in range(4):
        world.invoke("worker", world.event("worker_poll"))

    found = _measured(_lines(capsys))
    assert found["breaker_transitions", "open"] == [1]
    assert sum(found["provider_refused", "egvs"]) > 0


def test_requests_are_measured_by_the_class_of_their_answer(world: World, capsys: Printed) -> None:
    """And each by how long it took."""
    for name in ("query_latest", "query_range", "query_forbidden"):
        world.invoke("query", world.event(name))

    lines = _lines(capsys)
    found = _measured(lines)
    assert (found["api_requests", "2xx"], found["api_requests", "4xx"]) == ([1, 1], [1])
    answered = [line["latency_ms"] for line in lines if line["message"] == "request answered"]
    assert found["api_latency_ms", None] == pytest.approx(answered, abs=0.1)


def test_a_failed_request_is_measured(world: World, monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    """Our own fault counts as one."""
    world.restarted(monkeypatch, DYNAMODB_TABLE="no-such-table")
    world.invoke("query", world.event("query_latest"))

    assert _measured(_lines(capsys))["api_requests", "5xx"] == [1]


def test_a_sync_that_crashes_is_measured(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    """What is no ordinary failure stays in the queue and shows."""
    world.restarted(monkeypatch, USERS_TABLE="no-such-table")
    world.invoke("worker", world.event("worker_poll"))

    lines = _lines(capsys)
    assert _measured(lines)["syncs", "crashed"] == [1]
    (order,) = world.event("worker_poll")["Records"]
    (failed,) = [line for line in lines if line["message"] == "order failed"]
    assert failed["correlation_id"] == json.loads(order["body"])["correlation_id"]


def test_one_invocations_metrics_are_not_the_nexts(world: World, capsys: Printed) -> None:
    """A warm function starts at nothing."""
    for _ in range(2):
        world.invoke("query", world.event("query_latest"))
        assert _measured(_lines(capsys))["api_requests", "2xx"] == [1]


@pytest.mark.usefixtures("dexcom")
def test_what_each_thread_of_the_worker_tells_is_under_its_own_orders_id(
    world: World, capsys: Printed
) -> None:
    """Calls to the provider included, so that one id shows a whole sync and nobody else's."""
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
    by_id = defaultdict(list)
    for line in lines:
        by_id[line["correlation_id"]].append(line["message"])
    assert by_id.keys() == set(names)
    assert all(said.count("order carried out") == 1 for said in by_id.values())
    # Those that took the lease called the provider, each under its own id.
    assert {said.count("provider called") for said in by_id.values()} in ({0, 1}, {1})


def test_webhooks_are_measured_by_what_became_of_them(world: World, capsys: Printed) -> None:
    """One without a proof, one that is taken in, and from then on until it is stored."""
    sent(world, world.event("webhook_unsigned"))
    sent(world, world.webhook("records"))
    worked(world)

    found = _measured(_lines(capsys))
    assert (found["webhooks", "unproven"], found["webhooks", "accepted"]) == ([1], [1])
    assert 0 <= found["webhook_processing_s", None][0] < timedelta(minutes=10).total_seconds()


@pytest.mark.usefixtures("dexcom")
def test_what_caused_a_change_is_kept_with_it(world: World) -> None:
    """In the hours a sync stores and in the connection; from there it gets into the events."""
    world.invoke("worker", world.event("worker_poll"))
    hours = stores.readings_table().query("pk = :user", {":user": "demo"})
    connection = stores.users_table().get("demo", "connection")

    assert "0f0e7c9c-5b0f-4d3b-9f5e-2f8f0c1d2e3a" in {cause_of(hour) for hour in hours}
    assert connection is not None
    assert connection["caused_by"]


def test_publishing_is_measured(world: World, capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    """What arrived and how late, what was set aside or published again, and a sink that is down."""
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


def test_there_is_a_test_for_each_metric() -> None:
    """A metric that no test here reads may be wrong for years."""
    source = (CHECKOUT / "tests" / "functions" / "test_telemetry.py").read_text()

    assert not [metric.name for metric in metrics.ALL if f'"{metric.name}"' not in source]
