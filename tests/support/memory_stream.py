"""A DynamoDB in memory with streams, and a delivery to handlers as Lambda does it."""

from __future__ import annotations

from base64 import b64encode
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.fakes import NOON
from tests.support.memory_dynamo import MemoryDynamo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Record = dict[str, Any]
    Handler = Callable[[Sequence[Record]], dict[str, Any]]

TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
DELIVERIES_MAX = 10_000


class HandlerKilled(BaseException):
    """The process was killed, so no exception handler may run."""


@dataclass
class StreamingDynamo(MemoryDynamo):
    """Adds a record with both images to the stream of the table for every change of an item."""

    streams: defaultdict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    now_s: Callable[[], float] = NOON.timestamp

    def _write(self, table: str, key: Any, request: Any, write: Any) -> Any:
        before, after = super()._write(table, key, request, write)
        if before != after:
            number = f"{len(self.streams[table]) + 1:021d}"
            self.streams[table].append(change_record(before, after, number, at_s=self.now_s(), table=table))
        return before, after


def change_record(
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    number: str = "000000000000000000001",
    *,
    at_s: float = NOON.timestamp(),
    table: str = "readings",
    by: dict[str, str] | None = None,
) -> Record:
    """One change as Lambda passes it to a handler. The images are given in the form of the SDK."""
    item = after or before or {}
    images = {"OldImage": before, "NewImage": after}
    return {
        "eventID": number,
        "eventName": "REMOVE" if after is None else "MODIFY" if before else "INSERT",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "eventSourceARN": f"arn:aws:dynamodb:eu-west-1:123456789012:table/{table}/stream/2026-11-21T00:00",
        "dynamodb": {
            "ApproximateCreationDateTime": float(int(at_s)),
            "Keys": {name: item[name] for name in ("pk", "sk")},
            "SequenceNumber": number,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            **{name: _as_json(image) for name, image in images.items() if image is not None},
        },
        **({"userIdentity": by} if by else {}),
    }


def deliver(records: Sequence[Record], handler: Handler, batch_size: int = 100) -> int:
    """
    Deliver a shard to a handler as Lambda does. Returns the number of calls.

    A failed batch is retried in halves. A partial failure continues at the record that is named. No record is
    skipped.
    """
    place, size = 0, batch_size
    for call in range(DELIVERIES_MAX):
        if place == len(records):
            return call
        batch = records[place : place + size]
        try:
            answer = handler(batch)
        except (Exception, HandlerKilled):  # noqa: BLE001 - Lambda retries after any error.
            size = max(1, len(batch) // 2)
            continue
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
        place += min((numbers.index(number) for number in failed), default=len(batch))
        size = batch_size
    raise AssertionError("the shard is not delivered after all attempts")


def _as_json(image: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"B": b64encode(value["B"]).decode()} if "B" in value else value
        for name, value in image.items()
    }
