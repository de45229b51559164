"""A consumer at the broker that records the published readings of every user."""

from __future__ import annotations

import json
from collections import defaultdict
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pika

from bg_ingest.publishing.rabbitmq import EXCHANGE, UNROUTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.rabbitmq.server import Broker

_QUEUE = "everything"


class Listener:
    """A durable queue for every event, and the readings it received of each user."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self._published: defaultdict[str, set[datetime]] = defaultdict(set)
        with self._channel() as channel:
            channel.exchange_declare(UNROUTED, "fanout", durable=True)
            channel.exchange_declare(
                EXCHANGE, "topic", durable=True, arguments={"alternate-exchange": UNROUTED}
            )
            channel.queue_declare(_QUEUE, durable=True)
            channel.queue_bind(_QUEUE, EXCHANGE, "bg.#")

    def published(self, user_id: str) -> set[datetime]:
        """Return the instants of this user's readings that have arrived."""
        return self._published[user_id]

    def receive(self) -> None:
        """Receive the waiting messages."""
        with self._channel() as channel:
            while (got := channel.basic_get(_QUEUE, auto_ack=True))[0] is not None:
                about = json.loads(got[2])["data"]
                instants = (datetime.fromisoformat(it["timestamp"]) for it in about.get("readings", []))
                self._published[about["user_id"]].update(instants)

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        connection = pika.BlockingConnection(pika.URLParameters(self.broker.url))
        try:
            yield connection.channel()
        finally:
            connection.close()
