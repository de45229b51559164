"""Sinks in memory: a plain one, and an EventBridge bus."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from bg_ingest.publishing.publish import SinkResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_events import EventBridgeClient

    from bg_ingest.publishing.events import Event

ENTRIES_MAX = 10
REQUEST_BYTES_MAX = 262_144


@dataclass
class MemorySink:
    """Keeps the events that arrive. After `room` events the sink is down."""

    arrived: list[Event] = field(default_factory=list)
    room: int | None = None
    before_each: Callable[[Event], None] = lambda _: None

    def publish(self, events: Sequence[Event]) -> SinkResult:
        """Accept the events one by one."""
        for place, event in enumerate(events):
            if self.room == 0:
                return SinkResult(place, "SinkDown")
            self.before_each(event)
            self.arrived.append(event)
            self.room = None if self.room is None else self.room - 1
        return SinkResult(len(events))


@dataclass
class MemoryBus:
    """PutEvents of EventBridge with its limits. It refuses the entries that `refuses` selects."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)  # The number of entries of each request.
    refuses: Callable[[dict[str, Any]], str | None] = lambda _: None  # An error code for an entry, or None.
    spoils: Callable[[dict[str, Any]], bool] = lambda _: False  # Whether an entry makes its request invalid.
    down: bool = False

    @classmethod
    def client(cls, **how: Any) -> tuple[EventBridgeClient, MemoryBus]:
        """The bus, typed as boto3's client, and as itself."""
        bus = cls(**how)
        return cast("EventBridgeClient", bus), bus

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's.
        """Accept the entries one by one."""
        self.requests.append(len(Entries))
        size = sum(
            14 + len((each["Source"] + each["DetailType"] + each["Detail"]).encode()) for each in Entries
        )
        spoilt = any(map(self.spoils, Entries))
        if self.down or spoilt or not 0 < len(Entries) <= ENTRIES_MAX or size > REQUEST_BYTES_MAX:
            code = "InternalFailure" if self.down else "ValidationException"
            raise ClientError({"Error": {"Code": code, "Message": "refused"}}, "PutEvents")
        answers: list[dict[str, Any]] = []
        for entry in Entries:
            error = self.refuses(entry)
            answers.append({"ErrorCode": error} if error else {"EventId": str(len(self.entries))})
            self.entries += [] if error else [entry]
        return {"FailedEntryCount": sum("ErrorCode" in answer for answer in answers), "Entries": answers}

    @property
    def details(self) -> list[dict[str, Any]]:
        """The CloudEvents that arrived."""
        return [json.loads(entry["Detail"]) for entry in self.entries]
