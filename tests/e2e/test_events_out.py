"""What is stored arrives on the bus, and what was revised on record, on the deployed system."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from local import demo
from local.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from local.stack import Stack
    from tests.e2e.conftest import Api

pytestmark = pytest.mark.e2e

_PATIENCE_S = 90.0
_USER, _SIMULATED = "eva", "SandboxUser5"


class Listener:
    """A consumer of this person's events, behind a rule of its own."""

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
        pattern = json.dumps({"source": ["bg-ingest"], "detail": {"data": {"user_id": [_USER]}}})
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


@pytest.fixture
def listener(cloud: Stack) -> Iterator[Listener]:
    """Listening before anything happens to the person."""
    listener = Listener(cloud)
    listener.listen()
    yield listener
    listener.stop()


def test_a_persons_readings_arrive_on_the_bus_and_revisions_on_record(
    cloud: Stack, caller: Any, dexcom: httpx.Client, listener: Listener
) -> None:
    """Every reading of the history, the login, and later what the provider changed, each once by its id."""
    api: Api = caller(_USER)
    demo.connect(cloud.api, cloud.callers.token(_USER), _USER, _SIMULATED)
    demo.wait_for_backfill(cloud.api, cloud.callers.token(_USER), _USER)
    served = {reading["timestamp"] for reading in api.get(f"/api/bg/{_USER}?limit=100").json()}

    def told() -> list[str]:
        events = listener.told("bg.readings.stored")
        return [reading["timestamp"] for event in events for reading in event["data"]["readings"]]

    assert served
    assert wait_until(lambda: served <= set(told()), _PATIENCE_S)
    assert len(set(told())) == len(told())
    (connected,) = listener.told("bg.connection.changed")
    assert connected["data"]["state"] == "connected"
    assert "token" not in json.dumps(connected)

    change = {"kind": "revised_values", "by_mg_dl": 7, "user": _SIMULATED}
    fault = dexcom.post("/_sim/faults", json=change).raise_for_status().json()
    body = {"from": min(served)}

    def has_run() -> bool:
        return api.post(f"/api/bg/{_USER}/sync", body).status_code == 200

    assert wait_until(has_run, _PATIENCE_S)
    dexcom.delete(f"/_sim/faults/{fault['id']}").raise_for_status()
    assert wait_until(lambda: bool(listener.told("bg.readings.revised")), _PATIENCE_S)
    (reading, *_) = listener.told("bg.readings.revised")[0]["data"]["readings"]
    assert reading["glucose_mg_dl"] == reading["previous"]["glucose_mg_dl"] + 7

    def on_record() -> bool:
        actions = [entry["action"] for entry in api.get(f"/api/bg/{_USER}/audit").json()]
        return any(action.startswith("readings revised (") for action in actions)

    assert wait_until(on_record, _PATIENCE_S)
