"""What is stored arrives on the bus, and what was revised on record, on the deployed system."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from local import demo
from local.waiting import wait_until
from tests.e2e.conftest import PATIENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import httpx

    from local.stack import Stack
    from tests.e2e.conftest import Api

pytestmark = pytest.mark.e2e

_PATIENCE_S = 90.0
_NEWCOMER = "eva"


class Listener:
    """A consumer of two people's events, behind a rule of its own."""

    def __init__(self, cloud: Stack) -> None:
        self._sqs, self._events = cloud.emulator.client("sqs"), cloud.emulator.client("events")
        self._bus = cloud.event_bus
        self.url = self._sqs.create_queue(QueueName="listener")["QueueUrl"]
        self.heard: dict[str, dict[str, Any]] = {}

    def listen(self) -> None:
        """From now on."""
        arn = "arn:aws:sqs:eu-west-1:000000000000:listener"
        statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": policy})
        pattern = json.dumps(
            {"source": ["bg-ingest"], "detail": {"data": {"user_id": [PATIENT.user_id, _NEWCOMER]}}}
        )
        self._events.put_rule(Name="listener", EventBusName=self._bus, EventPattern=pattern)
        self._events.put_targets(
            Rule="listener", EventBusName=self._bus, Targets=[{"Id": "listener", "Arn": arn}]
        )

    def stop(self) -> None:
        """Take the rule away."""
        self._events.remove_targets(Rule="listener", EventBusName=self._bus, Ids=["listener"])
        self._events.delete_rule(Name="listener", EventBusName=self._bus)

    def told(self, event_type: str) -> list[dict[str, Any]]:
        """What the events of a type say, each id once, as far as they have come."""
        while messages := self._sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                event = json.loads(message["Body"])["detail"]
                self.heard.setdefault(event["id"], event)
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [event for event in self.heard.values() if event["type"] == event_type]


@pytest.fixture(scope="module")
def listener(cloud: Stack) -> Iterator[Listener]:
    """Listening before anything happens to them."""
    listener = Listener(cloud)
    listener.listen()
    yield listener
    listener.stop()


def test_a_reading_arrives_on_the_bus_and_its_revision_on_record(
    caller: Any, dexcom: httpx.Client, now: datetime, listener: Listener
) -> None:
    """By a sync that stores it, and by one that finds it changed; each under one id."""
    patient: Api = caller(PATIENT.user_id)
    at = now - timedelta(minutes=47)
    timestamp = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    path = f"/_sim/users/{PATIENT.simulated}/readings"
    dexcom.post(path, json={"system_time": timestamp, "value": 133}).raise_for_status()

    def told(event_type: str) -> list[dict[str, Any]]:
        readings = [each for event in listener.told(event_type) for each in event["data"]["readings"]]
        return [reading for reading in readings if reading["timestamp"] == timestamp]

    _sync(patient, at)
    assert wait_until(lambda: bool(told("bg.readings.stored")), _PATIENCE_S)

    revised = {"kind": "revised_values", "by_mg_dl": 7, "user": PATIENT.simulated, "since": timestamp}
    revised["before"] = f"{at + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"
    dexcom.post("/_sim/faults", json=revised).raise_for_status()
    _sync(patient, at)
    assert wait_until(lambda: bool(told("bg.readings.revised")), _PATIENCE_S)
    (reading,) = told("bg.readings.revised")
    assert (reading["glucose_mg_dl"], reading["previous"]["glucose_mg_dl"]) == (140, 133)
    assert len(told("bg.readings.stored")) == 1

    def is_on_record() -> bool:
        entries = patient.get(f"/api/bg/{PATIENT.user_id}/audit").json()
        return ("ingestion", "readings revised (1)") in {
            (entry["actor"], entry["action"]) for entry in entries
        }

    assert wait_until(is_on_record, _PATIENCE_S)


def test_a_login_is_told_and_no_token_with_it(cloud: Stack, listener: Listener) -> None:
    """From the other table's stream, of which most changes wake nobody."""
    demo.connect(cloud.api, cloud.callers.token(_NEWCOMER), _NEWCOMER, "SandboxUser5")

    assert wait_until(lambda: bool(listener.told("bg.connection.changed")), _PATIENCE_S)
    (event, *_) = listener.told("bg.connection.changed")
    assert (event["data"]["user_id"], event["data"]["state"]) == (_NEWCOMER, "connected")
    assert event["data"].keys().isdisjoint({"sealed_tokens", "account", "refresh_until"})


def _sync(patient: Api, since: datetime) -> None:
    """One that ran; the schedule may be at it."""
    body = {"from": f"{since:%Y-%m-%dT%H:%M:%SZ}"}

    def has_run() -> bool:
        return patient.post(f"/api/bg/{PATIENT.user_id}/sync", body).status_code == 200

    assert wait_until(has_run, _PATIENCE_S)
