"""The publish function, with EventBridge as its sink."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.aws import aws_clients
from bg_ingest.telemetry import InvocationFailed
from local.paths import CHECKOUT
from local.ports import free_port
from tests.functions.conftest import REGION
from tests.support.events_docs import consumer

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld

STRICT = {
    "ENVIRONMENT": "production",
    "DEXCOM_API_BASE_URL": "https://api.dexcom.com",
    "DEXCOM_REDIRECT_URI": "https://bg.example.org/oauth/callback",
    "SECRET_NAME": "dexcom",
}
TYPES = {
    "publish_readings": "bg.readings.stored",
    "publish_revision": "bg.readings.revised",
    "publish_expired": "bg.readings.removed",
    "publish_connection": "bg.connection.changed",
    "publish_failed_job": "bg.sync.failed",
    "publish_audit": "bg.audit.recorded",
}


@pytest.fixture
def listened(world: FunctionsWorld) -> str:
    """A queue that receives every event on the bus."""
    assert world is not None
    queue = aws_clients.sqs(REGION).create_queue(QueueName="listener")["QueueUrl"]
    pattern = json.dumps({"source": ["bg-ingest"]})
    aws_clients.events(REGION).put_rule(Name="all", EventBusName="events", EventPattern=pattern)
    arn = "arn:aws:sqs:eu-west-1:123456789012:listener"
    aws_clients.events(REGION).put_targets(
        Rule="all", EventBusName="events", Targets=[{"Id": "listener", "Arn": arn}]
    )
    return queue


def _heard(queue: str) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []
    while (
        messages := aws_clients.sqs(REGION)
        .receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        .get("Messages")
    ):
        heard += [json.loads(message["Body"]) for message in messages]
    return heard


@pytest.mark.parametrize(("name", "event_type"), TYPES.items())
def test_each_type_of_change_is_published(
    world: FunctionsWorld, listened: str, name: str, event_type: str
) -> None:
    """The event has the type and the correlation id of the change."""
    assert world.invoke("publish", world.event(name)) == {"batchItemFailures": []}
    (event,) = _heard(listened)

    assert (event["source"], event["detail-type"], event["detail"]["type"]) == (
        "bg-ingest",
        event_type,
        event_type,
    )
    assert event["detail"]["source"] == "https://bg-ingest.dev/development"
    caused = "0196f3a1-2c5d-4e6f-8a9b-0c1d2e3f4a5b" if event_type != "bg.readings.removed" else None
    assert event["detail"].get("correlationid") == caused


def test_events_of_the_audit_name_no_person(world: FunctionsWorld, listened: str) -> None:
    """They are on the bus for the archive, and a consumer that reads them learns pseudonyms."""
    world.invoke("publish", world.event("publish_audit"))
    (event,) = _heard(listened)

    assert not any(name in json.dumps(event) for name in ("demo", "a-service"))
    assert event["detail"]["data"]["action"] == "POST /api/bg/{userId}/sync"


def test_event_ids_come_from_the_secret_of_the_deployment(
    world: FunctionsWorld, listened: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another secret gives another id to the same change."""
    aws_clients.secrets(REGION).create_secret(Name="ids", SecretString="of this deployment")
    world.invoke("publish", world.event("publish_readings"))
    world.restarted(monkeypatch, EVENT_IDS_SECRET_NAME="ids")
    world.invoke("publish", world.event("publish_readings"))
    first, second = (event["detail"] for event in _heard(listened))

    assert first["id"] != second["id"]
    assert {**first, "id": ""} == {**second, "id": ""}


def test_ids_without_a_secret_are_refused_in_production(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fixed key of development is not used elsewhere."""
    monkeypatch.delenv("WEBHOOK_SECRETS")
    world.restarted(monkeypatch, **STRICT)

    with pytest.raises(InvocationFailed, match="EventIdsSecretMissing"):
        world.invoke("publish", world.event("publish_readings"))


def test_a_change_delivered_twice_has_one_event_id(world: FunctionsWorld, listened: str) -> None:
    """A consumer recognises the second event as a duplicate."""
    for _ in range(2):
        world.invoke("publish", world.event("publish_readings"))
    first, second = _heard(listened)

    assert first["detail"] == second["detail"]


def test_the_documented_consumer_handles_an_event_once(
    world: FunctionsWorld, listened: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The consumer in docs/events.md ignores the duplicates."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)  # A consumer has it in its environment.
    for name in (*TYPES, *TYPES):
        world.invoke("publish", world.event(name))
    taken: list[dict[str, Any]] = []
    consumer("EventBridge")(listened, set(), taken.append)

    assert [event["type"] for event in taken] == [*TYPES.values()]
    assert _heard(listened) == []


def test_every_event_type_and_attribute_is_documented(world: FunctionsWorld, listened: str) -> None:
    """docs/events.md names what the publisher sends."""
    page = (CHECKOUT / "docs" / "events.md").read_text()
    for name in TYPES:
        world.invoke("publish", world.event(name))
    for message in _heard(listened):
        event = message["detail"]
        names = {*event, *event["data"], event["type"]}
        assert not [name for name in names if f'"{name}"' not in page and f"`{name}`" not in page]


def test_an_unreadable_change_blocks_no_other(world: FunctionsWorld, listened: str) -> None:
    """Its place in the stream is sent to a queue, without its content."""
    readable, unreadable = world.event("publish_readings"), world.event("publish_unreadable")
    unreadable["Records"] += readable["Records"]

    assert world.invoke("publish", unreadable) == {"batchItemFailures": []}
    assert len(_heard(listened)) == 1
    queue = aws_clients.sqs(REGION).get_queue_url(QueueName="dead-publishes")["QueueUrl"]
    (note,) = _heard(queue)
    assert note == {
        "condition": "RecordUnreadable",
        "raised": "HourUnreadable",
        "streamArn": unreadable["Records"][0]["eventSourceARN"],
        "sequenceNumber": unreadable["Records"][0]["dynamodb"]["SequenceNumber"],
        "approximateArrival": unreadable["Records"][0]["dynamodb"]["ApproximateCreationDateTime"],
    }


def test_a_batch_is_retried_if_the_broker_is_down(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No event is reported as published, and the log has the kind of error."""
    world.restarted(monkeypatch, RABBITMQ_URL=f"amqp://guest:hunter2@127.0.0.1:{free_port()}")
    event = world.event("publish_readings")
    first = {"itemIdentifier": event["Records"][0]["dynamodb"]["SequenceNumber"]}

    assert world.invoke("publish", event) == {"batchItemFailures": [first]}
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "changes published" in line]
    told = json.loads(line)
    assert (told["level"], told["events"], told["trouble"]) == ("WARNING", 0, "AMQPConnectionError")


def test_a_broker_without_tls_is_rejected_in_production(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function fails before it sends a password or a reading."""
    aws_clients.secrets(REGION).create_secret(Name="broker", SecretString="amqp://guest:hunter2@127.0.0.1")
    aws_clients.secrets(REGION).create_secret(Name="ids", SecretString="x")
    names = {"RABBITMQ_SECRET_NAME": "broker", "EVENT_IDS_SECRET_NAME": "ids"}
    monkeypatch.delenv("WEBHOOK_SECRETS")
    world.restarted(monkeypatch, **STRICT, **names)

    with pytest.raises(InvocationFailed, match="BrokerUrlInsecure"):
        world.invoke("publish", world.event("publish_readings"))


def test_republished_events_have_the_same_ids(
    world: FunctionsWorld, listened: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Publishing a range again by hand sends the same events, however often."""
    order = world.event("publish_again")
    order["republish"] |= {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
    answers = [world.invoke("publish", order) for _ in range(2)]
    events = [event["detail"] for event in _heard(listened)]

    assert answers[0] == answers[1]
    assert answers[0]["again_from"] is None
    assert answers[0]["events"] == len(events) / 2 == len({event["id"] for event in events})
    assert sum(event["data"]["count"] for event in events) == 2 * 12
    assert "glucose" not in capsys.readouterr().out
