"""The RabbitMQ sink with a real RabbitMQ that is stopped, started and disconnected."""

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
    """Numbered events."""
    return [
        Event(f"{number:032x}-1", event_type, f"jobs/{number}", NOON, {"user_id": "ada"}, f"c-{number}")
        for number in range(first, first + count)
    ]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One broker for the module, with a plain port and a TLS port."""
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
    """The channel of a consumer."""
    connection = pika.BlockingConnection(pika.URLParameters(broker.url))
    try:
        yield connection.channel()
    finally:
        connection.close()


@pytest.fixture
def queue(broker: Broker) -> Iterator[str]:
    """A durable queue that gets all events. Queues and exchanges are deleted at the end."""
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
    """Makes sinks, which are closed at the end."""
    sinks: list[RabbitMQSink] = []

    def make(url: str) -> RabbitMQSink:
        sinks.append(RabbitMQSink(lambda: url, SOURCE, clock))
        return sinks[-1]

    yield make
    for sink in sinks:
        sink.close()


def take_all(broker: Broker, queue: str) -> list[tuple[Any, Any, bytes]]:
    """Take all messages out of a queue."""
    found = []
    with channel(broker) as consumer:
        while (got := consumer.basic_get(queue, auto_ack=True))[0] is not None:
            found.append(got)
    return found


def ids(messages: Sequence[tuple[Any, Any, bytes]]) -> list[str]:
    """The ids of the messages."""
    return [properties.message_id for _, properties, _ in messages]


def url_through(line: CutLine) -> str:
    """The URL of the broker behind a proxy connection."""
    return f"amqp://guest:guest@{HOST}:{line.port}/%2F"


class InterruptedEvent(Event):
    """An event that calls a function when it is sent."""

    happens: Callable[[], None]

    def as_text(self, source: str) -> str:
        """Call the function, then return the text."""
        type(self).happens()
        return super().as_text(source)


def interrupted_at(batch: list[Event], place: int, happens: Callable[[], None]) -> list[Event]:
    """The batch, with a function that is called when the event at `place` is sent for the first time."""
    calls = [happens]
    kind = type("OnceInterruptedEvent", (InterruptedEvent,), {"happens": lambda: calls and calls.pop()()})
    event = batch[place]
    interrupted = kind(
        event.event_id, event.event_type, event.subject, event.time, event.data, event.correlation_id
    )
    return [*batch[:place], interrupted, *batch[place + 1 :]]


def test_events_arrive_as_cloudevents_in_their_order(
    broker: Broker, queue: str, sink_at: Callable[[str], RabbitMQSink]
) -> None:
    """Events are persistent, routed by their type, and have the headers that consumers need."""
    batch = events(3)
    delivery = sink_at(broker.url).publish(batch)
    messages = take_all(broker, queue)

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
    """The example of docs/events.md ignores events that arrive a second time."""
    assert queue
    consumed: list[dict[str, Any]] = []
    consume, seen = consumer("RabbitMQ"), set[str]()
    consume(broker.url, seen, consumed.append, idle_s=0.1)
    batch = events(3, "bg.readings.stored")
    for _ in range(2):
        sink_at(broker.url).publish(batch)
    consume(broker.url, seen, consumed.append, idle_s=2.0)
    with channel(broker) as own:
        assert own.queue_delete("dashboard").method.message_count == 0

    assert consumed == [event.envelope(SOURCE) for event in batch]


def test_events_without_a_queue_are_kept_as_unrouted(
    broker: Broker, queue: str, sink_at: Callable[[str], RabbitMQSink]
) -> None:
    """Other events are delivered, and a later consumer finds the unrouted ones."""
    with channel(broker) as consumer:
        consumer.queue_unbind(queue, EXCHANGE, "bg.#")
        consumer.queue_bind(queue, EXCHANGE, "bg.readings.*")
    unwanted, wanted = events(2), events(2, "bg.readings.stored", first=2)

    assert sink_at(broker.url).publish([*unwanted, *wanted]).arrived == 4
    assert ids(take_all(broker, UNROUTED)) == [event.event_id for event in unwanted]
    assert ids(take_all(broker, queue)) == [event.event_id for event in wanted]


def test_a_returned_message_is_published_again(
    broker: Broker, queue: str, sink_at: Callable[[str], RabbitMQSink]
) -> None:
    """If the unrouted queue is gone as well, the sink declares it again."""
    sink = sink_at(broker.url)
    sink.publish(events(1))
    with channel(broker) as consumer:
        consumer.queue_unbind(queue, EXCHANGE, "bg.#")
        consumer.queue_delete(UNROUTED)

    assert sink.publish(events(2, first=1)).arrived == 2
    assert ids(take_all(broker, UNROUTED)) == [event.event_id for event in events(2, first=1)]


def test_a_stopped_broker_delays_events_and_loses_none(
    broker: Broker, queue: str, sink_at: Callable[[str], RabbitMQSink]
) -> None:
    """Confirmed events survive, the others arrive later, and the EventBridge sink is not delayed."""
    jobs = [JOB | {"sk": f"job#{number:028x}"} for number in range(6)]
    records = [
        change_record(None, to_attributes(job), f"{number:021d}", table="users")
        for number, job in enumerate(jobs)
    ]
    rabbit, bus = sink_at(broker.url), MemorySink()
    deliver(records[:2], _publisher(rabbit))
    broker.stop()
    try:
        failed = publish_records(records[2:], sink=rabbit, dead_letter=_nothing)
        assert (failed.events, failed.retry_from) == (0, f"{2:021d}")
        deliver(records, _publisher(bus))
        assert len(bus.arrived) == 6
    finally:
        broker.start()
    deliver(records[2:], _publisher(rabbit))

    assert ids(take_all(broker, queue)) == [event.event_id for event in bus.arrived]


def test_a_connection_cut_in_a_batch_loses_no_event(
    broker: Broker, queue: str, sink_at: Callable[[str], RabbitMQSink]
) -> None:
    """The rest of the batch is sent over a new connection."""
    with CutLine(broker.port) as line:
        batch = interrupted_at(events(10), 5, line.cut)
        delivery = sink_at(url_through(line)).publish(batch)

        assert (delivery.arrived, line.connections) == (10, 2)
    assert ids(take_all(broker, queue)) == [event.event_id for event in batch]


def test_a_lost_confirmation_duplicates_one_event(
    broker: Broker, queue: str, sink_at: Callable[[str], RabbitMQSink]
) -> None:
    """The broker has the event, so it arrives twice with the same id."""
    with CutLine(broker.port) as line:

        def lose_answer() -> None:
            line.loses_next_answer = True

        batch = interrupted_at(events(10), 5, lose_answer)
        assert sink_at(url_through(line)).publish(batch).arrived == 10
    arrived = ids(take_all(broker, queue))

    assert len(arrived) == 11
    assert list(dict.fromkeys(arrived)) == [event.event_id for event in batch]


def test_a_lasting_disconnection_is_reported(
    broker: Broker, queue: str, sink_at: Callable[[str], RabbitMQSink]
) -> None:
    """The result has the number of arrived events and the error."""
    line = CutLine(broker.port)
    with line:
        batch = interrupted_at(events(10), 5, lambda: line.__exit__(None, None, None))
        delivery = sink_at(url_through(line)).publish(batch)

    assert delivery.arrived == 5
    assert delivery.error == "AMQPConnectionError"
    assert len(take_all(broker, queue)) == 5


def test_a_connection_is_reused_unless_it_was_idle(
    broker: Broker, queue: str, sink_at: Callable[[str], RabbitMQSink], clock: FakeClock
) -> None:
    """A frozen environment misses heartbeats, and the broker may have closed the connection."""
    assert IDLE_S_MAX < HEARTBEAT_S
    with CutLine(broker.port) as line:
        sink = sink_at(url_through(line))
        for idle_s in (0.0, IDLE_S_MAX - 1, IDLE_S_MAX + 1):
            clock.advance(idle_s)
            assert sink.publish(events(1)).arrived == 1

        assert line.connections == 2
    assert len(take_all(broker, queue)) == 3


def test_the_certificate_of_the_broker_is_verified(
    broker: Broker,
    queue: str,
    sink_at: Callable[[str], RabbitMQSink],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a trusted authority the sink does not connect."""
    distrusted = sink_at(broker.tls_url).publish(events(1))
    monkeypatch.setenv("SSL_CERT_FILE", str(broker.folder / "authority.pem"))
    trusted = sink_at(broker.tls_url).publish(events(2))

    assert (distrusted.arrived, distrusted.error) == (0, "SSLCertVerificationError")
    assert (trusted.arrived, trusted.error) == (2, None)
    assert len(take_all(broker, queue)) == 2


def _publisher(sink: Any) -> Callable[[Sequence[dict[str, Any]]], dict[str, Any]]:
    def publish(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
        done = publish_records(records, sink=sink, dead_letter=_nothing)
        return {"batchItemFailures": [{"itemIdentifier": done.retry_from}] if done.retry_from else []}

    return publish


def _nothing(*_: Any) -> None:
    raise AssertionError("every record is readable")
