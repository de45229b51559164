"""SQS: carry out a batch of orders in one thread each; return the messages that stay in the queue."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from bg_ingest import telemetry
from bg_ingest.sync.worker import Delivery, DeliveryResult
from bg_ingest.wiring import syncing

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext

    Work = Callable[[Delivery, Callable[[], float]], DeliveryResult]


def handle(event: dict[str, Any], context: LambdaContext, work: Work) -> dict[str, Any]:
    """Carry out a batch; the failure of one order does not affect the others."""

    def time_left_s() -> float:
        return context.get_remaining_time_in_millis() / 1000

    def one(delivery: Delivery) -> DeliveryResult:
        telemetry.adopt_correlation_id(context.aws_request_id)
        try:
            worked = work(delivery, time_left_s)
        except Exception as error:  # noqa: BLE001 - any error keeps this message in the queue, and the others go on.
            telemetry.log("order failed", level=logging.ERROR, raised=error, received=delivery.received)
            return DeliveryResult(delivery.message_id, keep=True)
        _log_result(worked, delivery.received)
        return worked

    deliveries = [_delivery(record) for record in event["Records"]]
    with ThreadPoolExecutor(max_workers=len(deliveries)) as threads:
        kept = [worked.message_id for worked in threads.map(one, deliveries) if worked.keep]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in kept]}


@telemetry.entry_point
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a batch of the jobs queue."""
    return handle(event, context, syncing.work)


def _delivery(record: dict[str, Any]) -> Delivery:
    received = int(record["attributes"]["ApproximateReceiveCount"])
    return Delivery(record["messageId"], record["receiptHandle"], record["body"], received)


def _log_result(worked: DeliveryResult, received: int) -> None:
    if worked.order is None or worked.report is None:
        telemetry.log("message unreadable", level=logging.ERROR, received=received)
        return
    telemetry.log("order carried out", kept=worked.keep, received=received, **worked.report.facts())
