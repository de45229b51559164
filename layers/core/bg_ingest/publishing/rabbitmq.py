"""
RabbitMQ sink: a durable topic exchange, persistent messages, a confirm for each.

    publisher ──► bg.events (topic, routing key = type) ──► the queues that consumers have bound
                     └── no queue bound: bg.events.unrouted (fanout) ──► the queue bg.events.unrouted

If no queue is bound for a type of event, the message is kept in the queue `bg.events.unrouted`. Other types
of events are delivered. If that queue is gone as well, the broker returns the message (`mandatory`), and the
message counts as not arrived.

A Lambda environment is frozen between two invocations, sometimes permanently, and then cannot answer
heartbeats. The broker closes its connection after twice HEARTBEAT_S. So environments that never return do not
keep connections, and a connection that was idle for longer than IDLE_S_MAX is not used again.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker, ShortStringTooLong

from bg_ingest.publishing.publish import RefusedEvent, SinkResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bg_ingest.clock import Clock
    from bg_ingest.publishing.events import Event

EXCHANGE = "bg.events"
UNROUTED = "bg.events.unrouted"
HEARTBEAT_S = 60
IDLE_S_MAX = 30.0
# Together well under the timeout of the function.
_SOCKET_S = 5.0
_CONNECTED_S = 15.0
_BLOCKED_S = 10.0
_PERSISTENT = 2
# The broker closes the channel with this code at a message above its `max_message_size`.
_PRECONDITION_FAILED = 406


class EventRefused(Exception):
    """The broker will never accept this event."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class RabbitMQSink:
    """One broker. The URL is read for each connection, because its password can change."""

    url: Callable[[], str]
    source: str
    clock: Clock
    _channel: pika.adapters.blocking_connection.BlockingChannel | None = field(default=None, repr=False)
    _used_at_s: float = 0.0

    def publish(self, events: Sequence[Event]) -> SinkResult:
        """Publish and confirm the events one by one. A broken connection is replaced once."""
        arrived, replaced = 0, False
        refused: list[RefusedEvent] = []
        while arrived < len(events):
            more, error = self._publish(events[arrived:])
            arrived += more
            if isinstance(error, EventRefused):
                refused.append(RefusedEvent(arrived, error.code))
                arrived += 1
            elif error and replaced:
                return SinkResult(arrived, type(error).__name__, tuple(refused))
            elif error:
                replaced = True
        return SinkResult(arrived, refused=tuple(refused))

    def close(self) -> None:
        """Close the connection."""
        channel, self._channel = self._channel, None
        if channel:
            with suppress(AMQPError, OSError):
                channel.connection.close()

    def _publish(self, events: Sequence[Event]) -> tuple[int, Exception | None]:
        """The number of events that arrived, and why the next one did not."""
        arrived = 0
        try:
            channel = self._ready_channel()
            for event in events:
                _publish_one(channel, event, event.as_text(self.source).encode())
                arrived += 1
        except (AMQPError, OSError, EventRefused) as error:
            self.close()
            return arrived, error
        self._used_at_s = self.clock.monotonic_s()
        return arrived, None

    def _ready_channel(self) -> pika.adapters.blocking_connection.BlockingChannel:
        idle_s = self.clock.monotonic_s() - self._used_at_s
        if self._channel and (idle_s > IDLE_S_MAX or not self._channel.is_open):
            self.close()
        if self._channel is None:
            self._channel = _open_channel(self.url())
        return self._channel


def _publish_one(
    channel: pika.adapters.blocking_connection.BlockingChannel, event: Event, body: bytes
) -> None:
    try:
        channel.basic_publish(EXCHANGE, event.event_type, body, _properties(event), mandatory=True)
    except ShortStringTooLong:
        raise EventRefused("ShortStringTooLong") from None
    except ChannelClosedByBroker as error:
        if error.reply_code == _PRECONDITION_FAILED:
            raise EventRefused("PRECONDITION_FAILED") from None
        raise


def _open_channel(url: str) -> pika.adapters.blocking_connection.BlockingChannel:
    parameters = pika.URLParameters(url)  # With amqps:// this checks the broker's certificate and name.
    parameters.heartbeat = HEARTBEAT_S
    parameters.socket_timeout = _SOCKET_S
    parameters.stack_timeout = _CONNECTED_S
    parameters.blocked_connection_timeout = _BLOCKED_S
    parameters.connection_attempts = 1
    channel = pika.BlockingConnection(parameters).channel()
    channel.confirm_delivery()
    channel.exchange_declare(UNROUTED, "fanout", durable=True)
    channel.queue_declare(UNROUTED, durable=True)
    channel.queue_bind(UNROUTED, UNROUTED)
    channel.exchange_declare(EXCHANGE, "topic", durable=True, arguments={"alternate-exchange": UNROUTED})
    return channel


def _properties(event: Event) -> pika.BasicProperties:
    return pika.BasicProperties(
        content_type="application/cloudevents+json",
        content_encoding="utf-8",
        delivery_mode=_PERSISTENT,
        message_id=event.event_id,
        type=event.event_type,
        correlation_id=event.correlation_id,
        timestamp=int(event.time.timestamp()),
        app_id="bg-ingest",
    )
