"""The jobs queue: orders in, by batches, and delays for those that could not be carried out yet."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from bg_ingest.sync.job import Order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

_BATCH_MAX = 10  # SQS's own limit.
_SENDS_MAX = 3
DELAY_S_MAX = 900  # SQS's own limit, for a message that is new.


class QueueRefused(Exception):
    """The queue did not take some orders, however often they were sent."""


@dataclass(frozen=True, slots=True)
class JobsQueue:
    """The queue between those who ask for a sync and the worker."""

    client: SQSClient
    url: str

    def send(self, orders: Iterable[Order], delay_s: int = 0) -> None:
        """Put orders into the queue; raises QueueRefused if some cannot be put there."""
        waiting, refused = iter(orders), 0
        while batch := list(islice(waiting, _BATCH_MAX)):
            refused += self._send_batch([_entry(index, order, delay_s) for index, order in enumerate(batch)])
        if refused:  # Said at the end: one batch's trouble is no other's.
            raise QueueRefused(f"{refused} orders were refused {_SENDS_MAX} times")

    def hide(self, receipt_handle: str, delay_s: int) -> None:
        """Show a message that was received again only after a while."""
        self.client.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=receipt_handle, VisibilityTimeout=delay_s
        )

    def _send_batch(self, entries: list[SendMessageBatchRequestEntryTypeDef]) -> int:
        """Send, and send again what was refused; how many were refused every time."""
        for _ in range(_SENDS_MAX):
            answer = self.client.send_message_batch(QueueUrl=self.url, Entries=entries)
            refused = {failure["Id"] for failure in answer.get("Failed", [])}
            entries = [entry for entry in entries if entry["Id"] in refused]
            if not entries:
                break
        return len(entries)


def parse_order(body: str) -> Order:
    """The order in a message; raises ValueError, KeyError or TypeError on one that is none of ours."""
    return Order.from_message(json.loads(body))


def _entry(index: int, order: Order, delay_s: int) -> SendMessageBatchRequestEntryTypeDef:
    return {
        "Id": str(index),
        "MessageBody": json.dumps(order.as_message()),
        "DelaySeconds": delay_s,
        # On a standard queue this makes it fair: one user's many messages do not hold up the others'.
        "MessageGroupId": order.user_id,
    }
