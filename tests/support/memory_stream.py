"""A DynamoDB in memory with streams, and a poller that shows them to a handler as Lambda does."""

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


class Killed(BaseException):
    """The process ends here: nothing of ours gets to run any more."""


@dataclass
class StreamingDynamo(MemoryDynamo):
    """Every change of an item becomes a record of its table's stream, old and new image included."""

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
    """One change in the form Lambda hands it over; images are attributes as the SDK has them."""
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
    Show a shard to a handler until it is through, as Lambda does; how many times it was called.

    A failed batch comes again, halved; a partial failure goes on from the record that is named. Nothing else
    moves the position, and nothing is skipped.
    """
    place, size = 0, batch_size
    for call in range(DELIVERIES_MAX):
        if place == len(records):
            return call
        batch = records[place : place + size]
        try:
            answer = handler(batch)
        except (Exception, Killed):  # noqa: BLE001 - Lambda does not care what it was.
            size = max(1, len(batch) // 2)
            continue
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
        place += min((numbers.index(number) for number in failed), default=len(batch))
        size = batch_size
    raise AssertionError("the shard never comes to its end")


def _as_json(image: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"B": b64encode(value["B"]).decode()} if "B" in value else value
        for name, value in image.items()
    }
