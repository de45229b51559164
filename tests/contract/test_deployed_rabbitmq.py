"""The deployed publisher of a local cloud, and a real RabbitMQ that is stopped and started under it."""

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
_HOUR_S = "3600"  # Nothing is polled meanwhile but what a test asks for.


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """Its consumer is there before anything is published."""
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
    """As `make up IAM=1 RABBITMQ_URL=...` starts it, with a day of history."""
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
    """Who listens on EventBridge meanwhile."""
    listener = BusListener(cloud, cloud.demo_user_id)
    listener.listen()
    yield listener
    listener.stop()


@pytest.fixture(scope="module")
def received() -> dict[str, dict[str, Any]]:
    """What the broker's consumer has received, by id."""
    return {}


@pytest.fixture(autouse=True)
def _history(cloud: Stack, broker: Broker, received: dict[str, dict[str, Any]]) -> None:
    """The demo user's history has come, all of it, so that whatever comes now is what a test has caused."""
    with httpx.Client(timeout=60, trust_env=False) as client:
        start = SystemClock().now() - timedelta(days=2)
        address = f"{cloud.api}/api/bg/{cloud.demo_user_id}?from={start:%Y-%m-%dT%H:%M:%SZ}&limit=1000"
        served = client.get(address, headers=_bearer(cloud)).raise_for_status().json()
    wanted = {reading["timestamp"] for reading in served}
    assert len(wanted) > 200

    def has_come() -> bool:
        return wanted <= {
            reading["timestamp"] for event in _at_the_broker(broker, received) for reading in _readings(event)
        }

    assert wait_until(has_come, WAIT_S_MAX)


def test_what_a_sync_stores_arrives_at_the_broker_as_on_the_bus(
    cloud: Stack, broker: Broker, bus: BusListener, received: dict[str, dict[str, Any]]
) -> None:
    """One event, and the same to the letter at both."""
    at = _planted(cloud, back=4)
    _sync(cloud, at)

    assert wait_until(lambda: bool(_telling(bus.told(_STORED), at)), WAIT_S_MAX)
    assert wait_until(lambda: bool(_telling(_at_the_broker(broker, received), at)), WAIT_S_MAX)
    assert _telling(_at_the_broker(broker, received), at) == _telling(bus.told(_STORED), at)


def test_a_broker_that_is_down_holds_up_neither_syncs_nor_the_bus(
    cloud: Stack, broker: Broker, bus: BusListener, received: dict[str, dict[str, Any]]
) -> None:
    """The bus tells while there is no broker, and the broker's consumer is told when it is back."""
    at = _planted(cloud, back=9)
    broker.stop()
    try:
        _sync(cloud, at)
        assert wait_until(lambda: bool(_telling(bus.told(_STORED), at)), WAIT_S_MAX)
        assert wait_until(lambda: _tells_of_trouble(cloud), WAIT_S_MAX)
    finally:
        broker.start()

    assert wait_until(lambda: bool(_telling(_at_the_broker(broker, received), at)), WAIT_S_MAX)
    assert _telling(_at_the_broker(broker, received), at) == _telling(bus.told(_STORED), at)


def test_of_a_batch_that_the_broker_takes_in_part_the_rest_is_asked_for_again(
    cloud: Stack, broker: Broker
) -> None:
    """The answer names the first record that did not arrive: Lambda reads it, the emulated one does not."""
    with channel(broker) as consumer:
        limits = {"x-max-length": 1, "x-overflow": "reject-publish"}
        consumer.queue_declare("full", arguments=limits)
        consumer.queue_bind("full", EXCHANGE, "bg.#")
    try:
        records = [_record("publish_readings"), _record("publish_revision")]
        answer = _published(cloud, records)
        again_from = {"itemIdentifier": records[1]["dynamodb"]["SequenceNumber"]}
        assert answer == {"batchItemFailures": [again_from]}
    finally:
        with channel(broker) as consumer:
            consumer.queue_delete("full")

    assert _published(cloud, records[1:]) == {"batchItemFailures": []}


@contextmanager
def channel(broker: Broker) -> Iterator[Any]:
    """A consumer's view."""
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


def _telling(events: list[dict[str, Any]], at: datetime) -> list[dict[str, Any]]:
    timestamp = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    return [event for event in events if timestamp in {each["timestamp"] for each in _readings(event)}]


def _planted(cloud: Stack, back: int) -> datetime:
    """A new reading of the demo user at Dexcom, a minute after one of the newest: no other is there."""
    address = f"{cloud.api}/api/bg/{cloud.demo_user_id}?order=desc&limit={back}"
    newest = httpx.get(address, headers=_bearer(cloud), timeout=60, trust_env=False).json()
    at = datetime.fromisoformat(newest[-1]["timestamp"]) + timedelta(minutes=1)
    reading = {"system_time": f"{at:%Y-%m-%dT%H:%M:%SZ}", "value": 133}
    address = f"{cloud.dexcom}/_sim/users/{demo.SIMULATED_PERSON}/readings"
    httpx.post(address, json=reading, timeout=60, trust_env=False).raise_for_status()
    return at


def _sync(cloud: Stack, since: datetime) -> None:
    """One that ran; another may be at it."""
    address = f"{cloud.api}/api/bg/{cloud.demo_user_id}/sync"
    body = {"from": f"{since:%Y-%m-%dT%H:%M:%SZ}"}
    with httpx.Client(timeout=60, trust_env=False) as client:
        assert wait_until(
            lambda: client.post(address, json=body, headers=_bearer(cloud)).status_code == 200, WAIT_S_MAX
        )


def _bearer(cloud: Stack) -> dict[str, str]:
    return {"Authorization": f"Bearer {cloud.demo_token}"}


def _tells_of_trouble(cloud: Stack) -> bool:
    lines = [json.loads(line) for line in function_lines(cloud.emulator) if "changes published" in line]
    return any(line["trouble"] and not line["events"] for line in lines)


def _record(name: str) -> dict[str, Any]:
    (record,) = json.loads((CHECKOUT / "events" / f"{name}.json").read_text())["Records"]
    found: dict[str, Any] = record
    return found


def _published(cloud: Stack, records: list[dict[str, Any]]) -> Any:
    """What the deployed function answers."""
    answer = cloud.emulator.client("lambda").invoke(
        FunctionName=function_names(cloud.emulator)["PublishRabbitMQFunction"],
        Payload=json.dumps({"Records": records}).encode(),
    )
    assert "FunctionError" not in answer
    return json.loads(answer["Payload"].read())
