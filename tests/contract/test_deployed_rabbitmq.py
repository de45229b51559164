"""The deployed publisher with a real RabbitMQ that is stopped and started."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pika
import pytest

from bg_ingest.clock import SystemClock
from bg_ingest.publishing.rabbitmq import EXCHANGE, UNROUTED
from local import demo
from local.cloud import Cloud, Options
from local.deploy import function_names
from local.function_logs import function_lines
from local.paths import CHECKOUT, StateFolder
from local.ports import free_port
from local.progress import Progress
from local.rabbitmq import server
from local.waiting import wait_until
from tests.support.bus_listener import BusListener
from tests.support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.rabbitmq.server import Broker
    from local.stack import Stack

pytestmark = pytest.mark.integration

_QUEUE = "everything"
_STORED = "bg.readings.stored"
_HOUR_S = "3600"  # No polls during the tests, apart from those that a test starts.


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """A broker whose consumer's queue exists before the first event."""
    with server.running() as running:
        with channel(running) as consumer:
            consumer.exchange_declare(UNROUTED, "fanout", durable=True)
            consumer.exchange_declare(
                EXCHANGE, "topic", durable=True, arguments={"alternate-exchange": UNROUTED}
            )
            consumer.queue_declare(_QUEUE, durable=True)
            consumer.queue_bind(_QUEUE, EXCHANGE, "bg.#")
        yield running


@pytest.fixture(scope="module")
def cloud(broker: Broker, built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A local cloud as `make up IAM=1 RABBITMQ_URL=...` starts it, with a day of history."""
    options = Options(
        port=free_port(),
        enforce_iam=True,
        poll_interval_seconds=_HOUR_S,
        simulator_arguments=("--upload-delay-seconds", "0"),
        parameters={"BackfillDaysMax": "1", "RabbitMqUrl": broker.url},
        built=built,
    )
    cloud = Cloud(StateFolder(tmp_path_factory.mktemp("cloud")), options, Progress(None))
    try:
        yield cloud.start()
    finally:
        cloud.end()


@pytest.fixture(scope="module")
def bus(cloud: Stack) -> Iterator[BusListener]:
    """A consumer of the EventBridge bus."""
    listener = BusListener(cloud, cloud.demo_user_id)
    listener.listen()
    yield listener
    listener.stop()


@pytest.fixture(scope="module")
def received() -> dict[str, dict[str, Any]]:
    """The events that the broker's consumer has received, by id."""
    return {}


@pytest.fixture(autouse=True)
def _history(cloud: Stack, broker: Broker, received: dict[str, dict[str, Any]]) -> None:
    """Wait for all events of the demo user's history, so that later events are those of the test."""
    with httpx.Client(timeout=60, trust_env=False) as client:
        start = SystemClock().now() - timedelta(days=2)
        address = f"{cloud.api}/api/bg/{cloud.demo_user_id}?from={start:%Y-%m-%dT%H:%M:%SZ}&limit=1000"
        served = client.get(address, headers=_bearer(cloud)).raise_for_status().json()
    wanted = {reading["timestamp"] for reading in served}
    assert len(wanted) > 200

    def has_arrived() -> bool:
        return wanted <= {
            reading["timestamp"] for event in _at_the_broker(broker, received) for reading in _readings(event)
        }

    assert wait_until(has_arrived, WAIT_S_MAX)


def test_broker_and_bus_receive_the_same_event(
    cloud: Stack, broker: Broker, bus: BusListener, received: dict[str, dict[str, Any]]
) -> None:
    """The event of a sync is the same at the broker and on the bus."""
    at = _added_reading(cloud, back=4)
    _sync(cloud, at)

    assert wait_until(lambda: bool(_containing(bus.events(_STORED), at)), WAIT_S_MAX)
    assert wait_until(lambda: bool(_containing(_at_the_broker(broker, received), at)), WAIT_S_MAX)
    assert _containing(_at_the_broker(broker, received), at) == _containing(bus.events(_STORED), at)


def test_a_stopped_broker_delays_neither_sync_nor_bus(
    cloud: Stack, broker: Broker, bus: BusListener, received: dict[str, dict[str, Any]]
) -> None:
    """The bus gets the event at once, and the broker gets it after its restart."""
    at = _added_reading(cloud, back=9)
    broker.stop()
    try:
        _sync(cloud, at)
        assert wait_until(lambda: bool(_containing(bus.events(_STORED), at)), WAIT_S_MAX)
        assert wait_until(lambda: _has_logged_a_failure(cloud), WAIT_S_MAX)
    finally:
        broker.start()

    assert wait_until(lambda: bool(_containing(_at_the_broker(broker, received), at)), WAIT_S_MAX)
    assert _containing(_at_the_broker(broker, received), at) == _containing(bus.events(_STORED), at)


def test_the_rest_of_a_partly_accepted_batch_is_retried(cloud: Stack, broker: Broker) -> None:
    """The answer names the first failed record. Lambda retries from it, but the emulated one does not."""
    with channel(broker) as consumer:
        limits = {"x-max-length": 1, "x-overflow": "reject-publish"}
        consumer.queue_declare("full", arguments=limits)
        consumer.queue_bind("full", EXCHANGE, "bg.#")
    try:
        records = [_record("publish_readings"), _record("publish_revision")]
        answer = _published(cloud, records)
        retry_from = {"itemIdentifier": records[1]["dynamodb"]["SequenceNumber"]}
        assert answer == {"batchItemFailures": [retry_from]}
    finally:
        with channel(broker) as consumer:
            consumer.queue_delete("full")

    assert _published(cloud, records[1:]) == {"batchItemFailures": []}


@contextmanager
def channel(broker: Broker) -> Iterator[Any]:
    """The channel of a consumer."""
    connection = pika.BlockingConnection(pika.URLParameters(broker.url))
    try:
        yield connection.channel()
    finally:
        connection.close()


def _at_the_broker(broker: Broker, received: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    with channel(broker) as consumer:
        while (got := consumer.basic_get(_QUEUE, auto_ack=True))[0] is not None:
            event = json.loads(got[2])
            received.setdefault(event["id"], event)
    return list(received.values())


def _readings(event: dict[str, Any]) -> list[dict[str, Any]]:
    readings: list[dict[str, Any]] = event["data"].get("readings", [])
    return readings


def _containing(events: list[dict[str, Any]], at: datetime) -> list[dict[str, Any]]:
    timestamp = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    return [event for event in events if timestamp in {each["timestamp"] for each in _readings(event)}]


def _added_reading(cloud: Stack, back: int) -> datetime:
    """Add a reading at the simulated Dexcom, one minute after one of the newest, where there is none yet."""
    address = f"{cloud.api}/api/bg/{cloud.demo_user_id}?order=desc&limit={back}"
    newest = httpx.get(address, headers=_bearer(cloud), timeout=60, trust_env=False).json()
    at = datetime.fromisoformat(newest[-1]["timestamp"]) + timedelta(minutes=1)
    reading = {"system_time": f"{at:%Y-%m-%dT%H:%M:%SZ}", "value": 133}
    address = f"{cloud.dexcom}/_sim/users/{demo.SIMULATED_PERSON}/readings"
    httpx.post(address, json=reading, timeout=60, trust_env=False).raise_for_status()
    return at


def _sync(cloud: Stack, since: datetime) -> None:
    """Request a sync until it runs, because another one may be running."""
    address = f"{cloud.api}/api/bg/{cloud.demo_user_id}/sync"
    body = {"from": f"{since:%Y-%m-%dT%H:%M:%SZ}"}
    with httpx.Client(timeout=60, trust_env=False) as client:
        assert wait_until(
            lambda: client.post(address, json=body, headers=_bearer(cloud)).status_code == 200, WAIT_S_MAX
        )


def _bearer(cloud: Stack) -> dict[str, str]:
    return {"Authorization": f"Bearer {cloud.demo_token}"}


def _has_logged_a_failure(cloud: Stack) -> bool:
    lines = [json.loads(line) for line in function_lines(cloud.emulator) if "changes published" in line]
    return any(line["trouble"] and not line["events"] for line in lines)


def _record(name: str) -> dict[str, Any]:
    (record,) = json.loads((CHECKOUT / "events" / f"{name}.json").read_text())["Records"]
    found: dict[str, Any] = record
    return found


def _published(cloud: Stack, records: list[dict[str, Any]]) -> Any:
    """The answer of the deployed function."""
    answer = cloud.emulator.client("lambda").invoke(
        FunctionName=function_names(cloud.emulator)["PublishRabbitMQFunction"],
        Payload=json.dumps({"Records": records}).encode(),
    )
    assert "FunctionError" not in answer
    return json.loads(answer["Payload"].read())
