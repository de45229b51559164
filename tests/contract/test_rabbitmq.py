"""The RabbitMQ sink against a real RabbitMQ, which is stopped, started and cut off from it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pika
import pytest

from bg_ingest.dynamo import to_attributes
from bg_ingest.publishing.events import Event
from bg_ingest.publishing.publish import publish_records
from bg_ingest.publishing.rabbitmq import EXCHANGE, HEARTBEAT_S, IDLE_S_MAX, UNROUTED, RabbitMQSink
from local.ports import HOST
from local.rabbitmq import server
from tests.support.certificates import own_authority
from tests.support.cut_line import CutLine
from tests.support.events_docs import consumer
from tests.support.fakes import NOON, FakeClock
from tests.support.memory_stream import change_record, deliver
from tests.support.sinks import MemorySink
from tests.unit.publishing.sample_changes import SOURCE
from tests.unit.publishing.test_account_events import JOB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from local.rabbitmq.server import Broker

pytestmark = pytest.mark.integration

CONSUMED = "everything"


def events(count: int, event_type: Any = "bg.sync.failed", first: int = 0) -> list[Event]:
    """Numbered ones."""
    return [
        Event(f"{number:032x}-1", event_type, f"jobs/{number}", NOON, {"user_id": "ada"}, f"c-{number}")
        for number in range(first, first + count)
    ]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One for the module, with TLS beside its plain port."""
    folder = tmp_path_factory.mktemp("broker")
    own_authority(folder)
    tls = "\n".join(
        f"ssl_options.{name} = {folder / file}"
        for name, file in {
            "cacertfile": "authority.pem",
            "certfile": "server.pem",
            "keyfile": "key.pem",
        }.items()
    )
    settings = f"listeners.ssl.1 = {HOST}:{{tls_port}}\n{tls}"
    with server.running(settings, folder) as running:
        yield running


@contextmanager
def channel(broker: Broker) -> Iterator[Any]:
    """A consumer's view."""
    connection = pika.BlockingConnection(pika.URLParameters(broker.url))
    try:
        yield connection.channel()
    finally:
        connection.close()


@pytest.fixture
def queue(broker: Broker) -> Iterator[str]:
    """A consumer's durable queue that gets everything; afterwards the broker is as if nothing had been."""
    with channel(broker) as consumer:
        consumer.exchange_declare(UNROUTED, "fanout", durable=True)
        consumer.exchange_declare(EXCHANGE, "topic", durable=True, arguments={"alternate-exchange": UNROUTED})
        consumer.queue_declare(CONSUMED, durable=True)
        consumer.queue_bind(CONSUMED, EXCHANGE, "bg.#")
    yield CONSUMED
    with channel(broker) as consumer:
        for name in (CONSUMED, UNROUTED):
            consumer.queue_delete(name)
        consumer.exchange_delete(EXCHANGE)
        consumer.exchange_delete(UNROUTED)


@pytest.fixture
def sink_at(clock: FakeClock) -> Iterator[Callable[[str], RabbitMQSink]]:
    """Sinks, let go of in the end."""
    sinks: list[RabbitMQSink] = []

    def made(url: str) -> RabbitMQSink:
        sinks.append(RabbitMQSink(lambda: url, SOURCE, clock))
        return sinks[-1]

    yield made
    for sink in sinks:
        sink.close()


def taken(broker: Broker, queue: str) -> list[tuple[Any, Any, bytes]]:
    """Everything that is in a queue, out of it."""
    found = []
    with channel(broker) as consumer:
        while (got := consumer.basic_get(queue, auto_ack=True))[0] is not None:
            found.append(got)
    return found


def ids(messages: Sequence[tuple[Any, Any, bytes]]) -> list[str]:
    """By which a consumer recognises them."""
    return [properties.message_id for _, properties, _ in messages]


def through(line: CutLine) -> str:
    """The broker's address behind a line."""
    return f"amqp://guest:guest@{HOST}:{line.port}/%2F"


class Cutting(Event):
    """An event that something happens to in the moment it is sent."""

    happens: Callable[[], None]

    def as_text(self, source: str) -> str:
        """The text, and the accident."""
        type(self).happens()
        return super().as_text(source)


def with_accident(batch: list[Event], place: int, happens: Callable[[], None]) -> list[Event]:
    """The batch with something happening when one of its events is sent for the first time."""
    accidents = [happens]
    kind = type("Accident", (Cutting,), {"happens": lambda: accidents and accidents.pop()()})
    event = batch[place]
    accident = kind(
        event.event_id, event.event_type, event.subject, event.time, event.data, event.correlation_id
    )
    return [*batch[:place], accident, *batch[place + 1 :]]


def test_events_arrive_as_cloudevents_in_their_order(
    broker: Broker, queue: str, sink_at: Callable[[str], RabbitMQSink]
) -> None:
    """Persistent, by their type, with what a consumer looks at before it reads the body."""
    batch = events(3)
    delivery = sink_at(broker.url).publish(batch)
    messages = taken(broker, queue)

    assert (delivery.arrived, delivery.error) == (3, None)
    assert [json.loads(body) for _, _, body in messages] == [event.envelope(SOURCE) for event in batch]
    method, properties, _ = messages[0]
    assert (method.exchange, method.routing_key) == ("bg.events", "bg.sync.failed")
    assert properties.delivery_mode == 2
    assert properties.content_type == "application/cloudevents+json"
    assert (properties.message_id, properties.correlation_id) == (batch[0].event_id, "c-0")


def test_the_documented_consumer_takes_each_event_once(
    broker: Broker, queue: str, sink_at: Callable[[str], RabbitMQSink]
) -> None:
    """As it stands on the page, though it comes first and everything comes twice."""
    assert queue
    taken_by_it: list[dict[str, Any]] = []
    consume, seen = consumer("RabbitMQ"), set[str]()
    consume(broker.url, seen, taken_by_it.append, idle_s=0.1)
    batch = events(3, "bg.readings.stored")
    for _ in range(2):
        sink_at(broker.url).publish(batch)
    consume(broker.url, seen, taken_by_it.append, idle_s=2.0)
    with channel(broker) as own:
        assert own.queue_delete("dashboard").method.message_count == 0

    assert taken_by_it == [event.envelope(SOURCE) for event in batch]


def test_what_nobody_listens_to_is_kept(
    broker: Broker, queue: str, sink_at: Callable[[str], RabbitMQSink]
) -> None:
    """It holds up nothing, and a consumer that comes later finds it."""
    with channel(broker) as consumer:
        consumer.queue_unbind(queue, EXCHANGE, "bg.#")
        consumer.queue_bind(queue, EXCHANGE, "bg.readings.*")
    unwanted, wanted = events(2), events(2, "bg.readings.stored", first=2)

    assert sink_at(broker.url).publish([*unwanted, *wanted]).arrived == 4
    assert ids(taken(broker, UNROUTED)) == [event.event_id for event in unwanted]
    assert ids(taken(broker, queue)) == [event.event_id for event in wanted]


def test_a_message_that_comes_back_has_not_arrived(
    broker: Broker, queue: str, sink_at: Callable[[str], RabbitMQSink]
) -> None:
    """Not even the queue of the unrouted is there: it is made again, and nothing is lost."""
    sink = sink_at(broker.url)
    sink.publish(events(1))
    with channel(broker) as consumer:
        consumer.queue_unbind(queue, EXCHANGE, "bg.#")
        consumer.queue_delete(UNROUTED)

    assert sink.publish(events(2, first=1)).arrived == 2
    assert ids(taken(broker, UNROUTED)) == [event.event_id for event in events(2, first=1)]


def test_a_broker_that_is_stopped_delays_and_loses_nothing(
    broker: Broker, queue: str, sink_at: Callable[[str], RabbitMQSink]
) -> None:
    """What was confirmed outlasts the stop, the rest comes afterwards, and EventBridge waits for nobody."""
    jobs = [JOB | {"sk": f"job#{number:028x}"} for number in range(6)]
    records = [
        change_record(None, to_attributes(job), f"{number:021d}", table="users")
        for number, job in enumerate(jobs)
    ]
    rabbit, bus = sink_at(broker.url), MemorySink()
    deliver(records[:2], _publisher(rabbit))
    broker.stop()
    try:
        vain = publish_records(records[2:], sink=rabbit, dead_letter=_nothing)
        assert (vain.events, vain.retry_from) == (0, f"{2:021d}")
        deliver(records, _publisher(bus))
        assert len(bus.arrived) == 6
    finally:
        broker.start()
    deliver(records[2:], _publisher(rabbit))

    assert ids(taken(broker, queue)) == [event.event_id for event in bus.arrived]


def test_a_connection_that_is_cut_in_the_middle_of_a_batch_loses_nothing(
    broker: Broker, queue: str, sink_at: Callable[[str], RabbitMQSink]
) -> None:
    """The rest goes over a new one."""
    with CutLine(broker.port) as line:
        batch = with_accident(events(10), 5, line.cut)
        delivery = sink_at(through(line)).publish(batch)

        assert (delivery.arrived, line.connections) == (10, 2)
    assert ids(taken(broker, queue)) == [event.event_id for event in batch]


def test_a_confirmation_that_is_lost_doubles_one_event_recognisably(
    broker: Broker, queue: str, sink_at: Callable[[str], RabbitMQSink]
) -> None:
    """The broker had it, and nobody here knew: it comes twice under the same id."""
    with CutLine(broker.port) as line:

        def lose_it() -> None:
            line.loses_next_answer = True

        batch = with_accident(events(10), 5, lose_it)
        assert sink_at(through(line)).publish(batch).arrived == 10
    arrived = ids(taken(broker, queue))

    assert len(arrived) == 11
    assert list(dict.fromkeys(arrived)) == [event.event_id for event in batch]


def test_a_line_that_stays_cut_is_told(
    broker: Broker, queue: str, sink_at: Callable[[str], RabbitMQSink]
) -> None:
    """How far it got, and that it was the broker."""
    line = CutLine(broker.port)
    with line:
        batch = with_accident(events(10), 5, lambda: line.__exit__(None, None, None))
        delivery = sink_at(through(line)).publish(batch)

    assert delivery.arrived == 5
    assert delivery.error == "AMQPConnectionError"
    assert len(taken(broker, queue)) == 5


def test_a_connection_is_used_again_unless_it_rested(
    broker: Broker, queue: str, sink_at: Callable[[str], RabbitMQSink], clock: FakeClock
) -> None:
    """A frozen environment misses heartbeats: what the broker may have given up is not relied on."""
    assert IDLE_S_MAX < HEARTBEAT_S
    with CutLine(broker.port) as line:
        sink = sink_at(through(line))
        for rest_s in (0.0, IDLE_S_MAX - 1, IDLE_S_MAX + 1):
            clock.advance(rest_s)
            assert sink.publish(events(1)).arrived == 1

        assert line.connections == 2
    assert len(taken(broker, queue)) == 3


def test_over_tls_the_broker_has_to_prove_who_it_is(
    broker: Broker,
    queue: str,
    sink_at: Callable[[str], RabbitMQSink],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Certified by an authority we trust it is talked to, otherwise not."""
    distrusted = sink_at(broker.tls_url).publish(events(1))
    monkeypatch.setenv("SSL_CERT_FILE", str(broker.folder / "authority.pem"))
    trusted = sink_at(broker.tls_url).publish(events(2))

    assert (distrusted.arrived, distrusted.error) == (0, "SSLCertVerificationError")
    assert (trusted.arrived, trusted.error) == (2, None)
    assert len(taken(broker, queue)) == 2


def _publisher(sink: Any) -> Callable[[Sequence[dict[str, Any]]], dict[str, Any]]:
    def publish(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
        done = publish_records(records, sink=sink, dead_letter=_nothing)
        return {"batchItemFailures": [{"itemIdentifier": done.retry_from}] if done.retry_from else []}

    return publish


def _nothing(*_: Any) -> None:
    raise AssertionError("every record can be read")
