"""In-memory DynamoDB and SQS of the simulation, with steps, faults and checks of every write."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from bg_ingest.dynamo import from_attributes

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from bg_ingest.clock import Clock
    from tests.support.memory_dynamo import MemoryDynamo

VISIBILITY_S, RECEIVES_MAX = 720, 5
_WRITES = {"put_item", "update_item", "delete_item"}
_LATE = 0.5


@dataclass
class SteppingDynamo:
    """A DynamoDB with a step before and after every request, throttling, and a check of accepted writes.

    An eventually consistent read returns, half of the time, the state before each item's last write.
    """

    memory: MemoryDynamo
    step: Callable[[], None]
    random: Random
    watch: Callable[[str, dict[str, Any], dict[str, Any]], None]
    failure_rate: float = 0.0
    _before: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        call = getattr(self.memory, operation)

        def request(**arguments: Any) -> Any:
            self.step()
            if self.random.random() < self.failure_rate:
                raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, operation)
            if operation == "batch_get_item":
                return self._get_all(arguments["RequestItems"])
            table, key = arguments["TableName"], arguments.get("Key") or arguments.get("Item")
            before = self._item(table, key) if key else {}
            answer = call(**arguments)
            if key and operation in _WRITES:
                self._before[table, *_names(key)] = before
                self.watch(table, from_attributes(before), from_attributes(self._item(table, key)))
            elif operation == "query" and self._may_be_late(arguments):
                older = (self._before.get((table, *_names(item)), item) for item in answer["Items"])
                answer = answer | {"Items": [item for item in older if item]}
            self.step()
            return answer

        return request

    def _get_all(self, asked: dict[str, Any]) -> Any:
        """Several items, of which each may be late by itself."""
        ((table, request),) = asked.items()
        answer = self.memory.batch_get_item(RequestItems=asked)
        items = answer["Responses"][table]
        seen = [
            self._before.get((table, *_names(item)), item) if self._may_be_late(request) else item
            for item in items
        ]
        self.step()
        return answer | {"Responses": {table: [item for item in seen if item]}}

    def _item(self, table: str, key: dict[str, Any]) -> dict[str, Any]:
        return self.memory.tables[table].get(_names(key), {})

    def _may_be_late(self, read: dict[str, Any]) -> bool:
        # An index is never consistent; the dispatcher's own tests cover a late index.
        asks_for_it = read.get("ConsistentRead") or "IndexName" in read
        return not asks_for_it and self.failure_rate > 0 and self.random.random() < _LATE


def _names(attributes: dict[str, Any]) -> tuple[str, str]:
    return attributes["pk"]["S"], attributes["sk"]["S"]


@dataclass(eq=False)
class SimulatedMessage:
    """A message and its delivery state."""

    number: int
    body: str
    visible_at_s: float
    received: int = 0


@dataclass
class SimulatedQueue:
    """A standard queue: at-least-once, unordered, and some batches fail in part."""

    clock: Clock
    step: Callable[[], None]
    random: Random
    sent: Callable[[dict[str, Any]], None]
    messages: list[SimulatedMessage] = field(default_factory=list)
    dead: list[SimulatedMessage] = field(default_factory=list)
    failure_rate: float = 0.0
    _count: int = 0

    def send_message_batch(self, *, Entries: list[dict[str, Any]], **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's.
        """Accept all messages, or some of them."""
        self.step()
        failed = [entry for entry in Entries if self.random.random() < self.failure_rate]
        for entry in Entries:
            if entry not in failed:
                self.put(entry["MessageBody"], entry["DelaySeconds"])
        self.step()
        return {"Failed": [{"Id": entry["Id"]} for entry in failed]} if failed else {}

    def change_message_visibility(self, *, ReceiptHandle: str, VisibilityTimeout: int, **_: Any) -> None:  # noqa: N803 - boto3's.
        """Hide a message for this time."""
        self.step()
        for message in self.messages:
            if str(message.number) == ReceiptHandle:
                message.visible_at_s = self.clock.monotonic_s() + VisibilityTimeout

    def put(self, body: str, delay_s: float = 0) -> None:
        """Add a message."""
        self._count += 1
        self.messages.append(SimulatedMessage(self._count, body, self.clock.monotonic_s() + delay_s))
        self.sent(json.loads(body))

    def receive(self) -> SimulatedMessage | None:
        """Return any visible messages and hide them; messages received too often become dead letters."""
        now_s = self.clock.monotonic_s()
        visible = [message for message in self.messages if message.visible_at_s <= now_s]
        while visible:
            message = self.random.choice(visible)
            if message.received < RECEIVES_MAX:
                message.received += 1
                message.visible_at_s = now_s + VISIBILITY_S
                return message
            visible.remove(message)
            self.messages.remove(message)
            self.dead.append(message)
        return None

    def double(self) -> None:
        """Deliver a message again that is being processed."""
        if self.messages:
            self.random.choice(self.messages).visible_at_s = 0.0

    def delete(self, message: SimulatedMessage) -> None:
        """Delete a processed message."""
        if message in self.messages:
            self.messages.remove(message)
