"""The publishers, put together: which sink a function has follows from which of its settings are there."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import TYPE_CHECKING, Any

from bg_ingest.publishing.eventbridge import EventBridgeSink
from bg_ingest.publishing.stream import sequence_number
from bg_ingest.settings import Environment, settings
from bg_ingest.wiring import aws_clients, stores
from bg_ingest.wiring.credentials import CachedSecret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bg_ingest.publishing.publish import Sink

# A CloudEvent's source is a URI that is the same for as long as its ids have to be told apart.
_SOURCE = "https://bg-ingest.dev/"


class BrokerUrlInsecure(Exception):
    """Outside development a broker is reached by amqps:// only."""


@cache
def sink() -> Sink:
    """Where this process publishes to."""
    own = settings()
    source = _SOURCE + own.environment
    if own.rabbitmq_url is None and own.rabbitmq_secret_name is None:
        return EventBridgeSink(
            aws_clients.events(), own.event_bus_name, source, stores.clock(), random.random
        )
    from bg_ingest.publishing.rabbitmq import RabbitMQSink  # noqa: PLC0415 - 100 ms that the other need not spend.

    return RabbitMQSink(_broker_url, source, stores.clock())


def set_aside(record: Mapping[str, Any], kind: str) -> None:
    """Note where a record stands that cannot be published; what is in it stays where it is."""
    note = {
        "condition": "RecordUnreadable",
        "raised": kind,
        "streamArn": record["eventSourceARN"],
        "sequenceNumber": sequence_number(record),
        "approximateArrival": record["dynamodb"]["ApproximateCreationDateTime"],
    }
    aws_clients.sqs().send_message(QueueUrl=settings().dead_publishes_queue_url, MessageBody=json.dumps(note))


@cache
def _held_url() -> CachedSecret[str]:
    return CachedSecret(_read_url, stores.clock())


def _broker_url() -> str:
    url = _held_url().get()
    if settings().environment is not Environment.DEVELOPMENT and not url.startswith("amqps://"):
        raise BrokerUrlInsecure
    return url


def _read_url() -> str:
    own = settings()
    if own.rabbitmq_secret_name:
        return (
            aws_clients.secrets().get_secret_value(SecretId=own.rabbitmq_secret_name)["SecretString"].strip()
        )
    assert own.rabbitmq_url is not None  # noqa: S101 - or there would be another sink.
    return own.rabbitmq_url.get_secret_value()
