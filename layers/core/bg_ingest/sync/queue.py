"""The jobs queue in SQS: sends orders in batches and delays those that cannot be carried out yet."""

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

_BATCH_MAX = 10  # SQS's limit.
_SENDS_MAX = 3
DELAY_S_MAX = 900  # SQS's limit for a new message.


class QueueRefused(Exception):
    """The queue rejected some orders at every attempt."""


@dataclass(frozen=True, slots=True)
class JobsQueue:
    """The queue between those that order a sync and the worker."""

    client: SQSClient
    url: str

    def send(self, orders: Iterable[Order], delay_s: int = 0) -> None:
        """Send orders; raises QueueRefused if some were rejected."""
        waiting, rejected = iter(orders), 0
        while batch := list(islice(waiting, _BATCH_MAX)):
            rejected += self._send_batch([_entry(index, order, delay_s) for index, order in enumerate(batch)])
        if rejected:  # Raised at the end: one rejected batch does not stop the others.
            raise QueueRefused(f"{rejected} orders were rejected {_SENDS_MAX} times")

    def hide(self, receipt_handle: str, delay_s: int) -> None:
        """Deliver a received message again only after a delay."""
        self.client.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=receipt_handle, VisibilityTimeout=delay_s
        )

    def _send_batch(self, entries: list[SendMessageBatchRequestEntryTypeDef]) -> int:
        """Send, and send rejected entries again; returns how many were rejected every time."""
        for _ in range(_SENDS_MAX):
            response = self.client.send_message_batch(QueueUrl=self.url, Entries=entries)
            rejected = {failure["Id"] for failure in response.get("Failed", [])}
            entries = [entry for entry in entries if entry["Id"] in rejected]
            if not entries:
                break
        return len(entries)


def parse_order(body: str) -> Order:
    """The order in a message; raises ValueError, KeyError or TypeError on an invalid message."""
    return Order.from_message(json.loads(body))


def _entry(index: int, order: Order, delay_s: int) -> SendMessageBatchRequestEntryTypeDef:
    return {
        "Id": str(index),
        "MessageBody": json.dumps(order.as_message()),
        "DelaySeconds": delay_s,
        # A message group makes a standard queue fair: many messages of one user do not delay the others.
        "MessageGroupId": order.user_id,
    }
