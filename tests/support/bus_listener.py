"""A consumer of some users' events on the bus of a local cloud."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local.stack import Stack


class BusListener:
    """Receives the events about some users, through a rule and a queue of its own."""

    def __init__(self, cloud: Stack, *user_ids: str) -> None:
        self._sqs, self._client = cloud.emulator.client("sqs"), cloud.emulator.client("events")
        self._bus, self._user_ids = cloud.event_bus, user_ids
        self._url = self._sqs.create_queue(QueueName="listener")["QueueUrl"]
        self._received: dict[str, dict[str, Any]] = {}

    def listen(self) -> None:
        """Receive events from now on."""
        arn = "arn:aws:sqs:eu-west-1:000000000000:listener"
        statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": policy})
        pattern = json.dumps({"source": ["bg-ingest"], "detail": {"data": {"user_id": list(self._user_ids)}}})
        self._client.put_rule(Name="listener", EventBusName=self._bus, EventPattern=pattern)
        self._client.put_targets(
            Rule="listener", EventBusName=self._bus, Targets=[{"Id": "listener", "Arn": arn}]
        )

    def stop(self) -> None:
        """Remove the rule."""
        self._client.remove_targets(Rule="listener", EventBusName=self._bus, Ids=["listener"])
        self._client.delete_rule(Name="listener", EventBusName=self._bus)

    def events(self, event_type: str) -> list[dict[str, Any]]:
        """The events of a type that have arrived, each id once."""
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                event = json.loads(message["Body"])["detail"]
                self._received.setdefault(event["id"], event)
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return [event for event in self._received.values() if event["type"] == event_type]
