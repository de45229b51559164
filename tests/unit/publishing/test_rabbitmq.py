"""What the RabbitMQ sink does with messages that the broker refuses; tests/contract has a real broker."""

from __future__ import annotations

from typing import Any, cast

import pytest
from pika.exceptions import ChannelClosedByBroker, ShortStringTooLong

from bg_ingest.publishing.events import Event
from bg_ingest.publishing.publish import RefusedEvent, SinkResult
from bg_ingest.publishing.rabbitmq import RabbitMQSink
from tests.support.fakes import NOON, FakeClock


class Channel:
    """An open channel that fails at one message."""

    is_open = True

    def __init__(self, fails_at: int, error: Exception) -> None:
        self.published: list[str] = []
        self._fails_at = fails_at
        self._error = error

    @property
    def connection(self) -> Channel:
        """Its connection."""
        return self

    def close(self) -> None:
        """Close both."""

    def basic_publish(self, *_: Any, **__: Any) -> None:
        """Accept a message, or fail."""
        if len(self.published) == self._fails_at:
            raise self._error
        self.published.append("message")


def gone() -> str:
    """The URL of a broker that no longer accepts connections."""
    raise ConnectionRefusedError


@pytest.mark.parametrize(
    ("error", "result"),
    [
        # The message is too large: it is refused, and the next one needs another channel.
        (
            ChannelClosedByBroker(406, "PRECONDITION_FAILED - message size is larger"),
            SinkResult(2, "ConnectionRefusedError", (RefusedEvent(1, "PRECONDITION_FAILED"),)),
        ),
        (
            ShortStringTooLong(),
            SinkResult(2, "ConnectionRefusedError", (RefusedEvent(1, "ShortStringTooLong"),)),
        ),
        # The exchange was deleted: every message is retried.
        (ChannelClosedByBroker(404, "NOT_FOUND"), SinkResult(1, "ConnectionRefusedError")),
    ],
)
def test_a_refused_message_is_not_retried(error: Exception, result: SinkResult) -> None:
    """Only the codes of one message set it aside."""
    channel = Channel(1, error)
    sink = RabbitMQSink(gone, "source", FakeClock(), cast("Any", channel))
    events = [Event(f"{n}-1", "bg.sync.failed", "jobs/1", NOON, {}) for n in range(3)]

    assert sink.publish(events) == result
    assert len(channel.published) == 1
