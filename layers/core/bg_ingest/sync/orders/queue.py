"""
The queues in SQS: one for each kind of work, so that a backlog of one kind delays no other.

    interactive   webhooks and syncs that a caller requested
    polls         what the schedule orders every interval
    bulk          histories, reconciliations and long ranges
    shards        the dispatcher's own messages: see `dispatch`

Messages are sent in batches. Orders that cannot be carried out yet are sent again with a delay.

The body of a webhook with records travels in its order as it was signed, compressed, sealed
(accounts/sealing.py), as base64 text. SQS takes one mebibyte of text, and not every character of it. A body
of 256 KiB is at most 342 KiB this way; as JSON inside JSON it could be four times its size.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from bg_ingest.sync.job import JobKind, Order
from bg_ingest.sync.windows import BACKFILL_WINDOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

    from bg_ingest.sync.dispatching.shard import Shard

    # Sends the batches one after the other, or in parallel.
    Each = Callable[[Callable[[list[Any]], int], Iterable[list[Any]]], Iterable[int]]


_BATCH_MAX = 10  # SQS's limit.
_SENDS_MAX = 3
DELAY_S_MAX = 900  # SQS's limit for a new message.
BODY_BYTES_MAX = 262_144  # Of a webhook.


class QueueRefused(Exception):
    """The queue rejected some messages at every attempt."""


@dataclass(frozen=True, slots=True)
class JobsQueue:
    """The queues between those that order a sync and the worker."""

    client: SQSClient
    url: str  # For interactive orders.
    polls_url: str | None = None  # None: the same queue.
    bulk_url: str | None = None
    each: Each = map

    def send(self, orders: Iterable[Order], delay_s: int = 0) -> None:
        """Send each order to its queue; raises QueueRefused if some were rejected."""
        by_url = defaultdict(list)
        for order in orders:
            by_url[self.url_for(order)].append((order, delay_s))
        # Raised at the end: one rejected batch does not stop the others.
        rejected = sum(
            _send(self.client, url, [_of_order(*each) for each in part], self.each)
            for url, part in by_url.items()
        )
        if rejected:
            raise QueueRefused(f"{rejected} orders were rejected {_SENDS_MAX} times")

    def url_for(self, order: Order) -> str:
        """The queue of this kind of work."""
        if order.is_poll:
            return self.polls_url or self.url
        is_long = order.window and order.window[1] - order.window[0] > BACKFILL_WINDOW
        if order.kind is not JobKind.INCREMENTAL or is_long:
            return self.bulk_url or self.url
        return self.url

    def hide(self, receipt_handle: str, delay_s: int, queue: str = "") -> None:
        """Deliver a message that was received from the queue of this name again only after a delay."""
        urls = (url for url in (self.polls_url, self.bulk_url) if url and url.endswith(f"/{queue}"))
        self.client.change_message_visibility(
            QueueUrl=next(urls, self.url), ReceiptHandle=receipt_handle, VisibilityTimeout=delay_s
        )


@dataclass(frozen=True, slots=True)
class ShardsQueue:
    """The queue between the two steps of the dispatcher."""

    client: SQSClient
    url: str
    each: Each = map

    def send(self, shards: Iterable[Shard]) -> None:
        """Send a message for each shard; raises QueueRefused if some were rejected."""
        rejected = _send(self.client, self.url, [_of_shard(shard) for shard in shards], self.each)
        if rejected:
            raise QueueRefused(f"{rejected} shards were rejected {_SENDS_MAX} times")


def parse_order(body: str) -> Order:
    """The order in a message; raises ValueError, KeyError or TypeError on an invalid message."""
    return Order.from_message(json.loads(body))


def _send(client: SQSClient, url: str, entries: list[Any], each: Each) -> int:
    """Send the messages in batches; returns how many were rejected every time."""
    numbered = [entry | {"Id": str(number % _BATCH_MAX)} for number, entry in enumerate(entries)]
    batches = [numbered[first : first + _BATCH_MAX] for first in range(0, len(numbered), _BATCH_MAX)]
    return sum(each(partial(_send_batch, client, url), batches))


def _send_batch(client: SQSClient, url: str, entries: list[SendMessageBatchRequestEntryTypeDef]) -> int:
    """Send, and send rejected entries again; returns how many were rejected every time."""
    for _ in range(_SENDS_MAX):
        response = client.send_message_batch(QueueUrl=url, Entries=entries)
        rejected = {failure["Id"] for failure in response.get("Failed", [])}
        entries = [entry for entry in entries if entry["Id"] in rejected]
        if not entries:
            break
    return len(entries)


def _of_order(order: Order, delay_s: int) -> dict[str, Any]:
    return {
        "MessageBody": json.dumps(order.as_message()),
        "DelaySeconds": delay_s,
        # A message group makes a standard queue fair: many messages of one user do not delay the others.
        "MessageGroupId": order.user_id,
    }


def _of_shard(shard: Shard) -> dict[str, Any]:
    return {"MessageBody": json.dumps(shard.as_message()), "DelaySeconds": shard.delay_s}


class PayloadUnreadable(Exception):
    """A packed body that cannot be unpacked."""


def pack(body: bytes) -> bytes:
    """The body as it is sealed for the queue."""
    return zlib.compress(body)


def unpack(packed: bytes) -> dict[str, Any]:
    """The `data` member of a packed body; raises PayloadUnreadable."""
    try:
        # The limit keeps a forged message from growing beyond what can have been packed.
        body = zlib.decompressobj().decompress(packed, BODY_BYTES_MAX)
        data = parse_body(body)["data"]
    except (ValueError, zlib.error, KeyError, TypeError) as error:
        raise PayloadUnreadable(type(error).__name__) from None
    if not isinstance(data, dict):
        raise PayloadUnreadable("data is not an object")
    return data


def parse_body(body: bytes) -> Any:
    """A body as JSON; raises ValueError if it is invalid, nested too deep, or has endless numbers."""
    # Python's own parser, as for the provider's responses: half a surrogate pair costs only its own record.
    try:
        return json.loads(body.decode())
    except RecursionError:
        raise ValueError("nested too deep") from None
