"""The publisher: its sink follows from the settings of the function."""

from __future__ import annotations

import json
import random
from functools import partial
from typing import TYPE_CHECKING, Any

from bg_ingest.aws import aws_clients
from bg_ingest.aws.cached_secret import CachedSecret
from bg_ingest.publishing.eventbridge import EventBridgeSink
from bg_ingest.publishing.events import KeyedSink
from bg_ingest.publishing.publish import sequence_number
from bg_ingest.settings import Environment
from bg_ingest.wiring.access.secret_parts import read_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bg_ingest.publishing.publish import Sink
    from bg_ingest.wiring.process import Process

# A CloudEvent's source: a URI that stays the same for as long as event ids have to be unique.
_SOURCE = "https://bg-ingest.dev/"


class BrokerUrlInsecure(Exception):
    """Outside development a broker's URL must start with amqps://."""


class EventIdsSecretMissing(Exception):
    """Outside development EVENT_IDS_SECRET_NAME must name the secret for event ids."""


def sink(own: Process) -> Sink:
    """Where this process publishes to, with ids that only this deployment can compute."""
    return KeyedSink(_sink(own), CachedSecret(partial(_read_ids_key, own), own.clock).get)


def _read_ids_key(own: Process) -> bytes:
    settings = own.settings
    if settings.event_ids_secret_name:
        return read_secret(own, settings.event_ids_secret_name).encode()
    if settings.environment is not Environment.DEVELOPMENT:
        raise EventIdsSecretMissing
    return b"development"


def _sink(own: Process) -> Sink:
    settings = own.settings
    source = _SOURCE + settings.environment
    if settings.rabbitmq_url is None and settings.rabbitmq_secret_name is None:
        client = aws_clients.events(settings.aws_region)
        return EventBridgeSink(client, settings.event_bus_name, source, own.clock, random.random)
    from bg_ingest.publishing.rabbitmq import RabbitMQSink  # noqa: PLC0415 - 100 ms of import for this sink alone.

    return RabbitMQSink(CachedSecret(partial(_read_url, own), own.clock).get, source, own.clock)


def dead_letter(own: Process) -> Callable[[Mapping[str, Any], str, str], None]:
    """Sends the position of a record that cannot be published to a queue; its content stays in the stream."""
    return partial(_dead_letter, own)


def _dead_letter(own: Process, record: Mapping[str, Any], kind: str, condition: str) -> None:
    note = {
        "condition": condition,
        "raised": kind,
        "streamArn": record["eventSourceARN"],
        "sequenceNumber": sequence_number(record),
        "approximateArrival": record["dynamodb"]["ApproximateCreationDateTime"],
    }
    aws_clients.sqs(own.settings.aws_region).send_message(
        QueueUrl=own.settings.dead_publishes_queue_url, MessageBody=json.dumps(note)
    )


def _read_url(own: Process) -> str:
    settings = own.settings
    if settings.rabbitmq_secret_name:
        url = read_secret(own, settings.rabbitmq_secret_name).strip()
    else:
        assert settings.rabbitmq_url is not None  # noqa: S101 - or there would be another sink.
        url = settings.rabbitmq_url.get_secret_value()
    if settings.environment is not Environment.DEVELOPMENT and not url.startswith("amqps://"):
        raise BrokerUrlInsecure
    return url
