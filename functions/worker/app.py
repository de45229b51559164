"""SQS: carry out a batch of sync orders, one thread each; report the messages that stay in the queue."""

from __future__ import annotations

import bg_ingest.telemetry.boot  # noqa: F401 - the first import: it shortens the cold start.

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from bg_ingest import telemetry
from bg_ingest.sync.worker import Delivery, DeliveryResult
from bg_ingest.telemetry.order_log import OrderLog
from bg_ingest.wiring.process import process
from bg_ingest.wiring.sync_parts import sync_service

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext

    HandleDelivery = Callable[[Delivery, Callable[[], float]], DeliveryResult]


def handle(event: dict[str, Any], context: LambdaContext, handle_delivery: HandleDelivery) -> dict[str, Any]:
    """Carry out a batch; one order's failure does not affect the others."""

    def time_left_s() -> float:
        return context.get_remaining_time_in_millis() / 1000

    order_log = OrderLog()

    def one(delivery: Delivery) -> DeliveryResult:
        telemetry.adopt_correlation_id(context.aws_request_id)
        try:
            return order_log.logged(delivery, lambda: handle_delivery(delivery, time_left_s))
        except Exception as error:  # noqa: BLE001 - of any error: the message stays, and the others continue.
            telemetry.log("order failed", level=logging.ERROR, raised=error, received=delivery.received)
            return DeliveryResult(delivery.message_id, keep=True)

    deliveries = [_delivery(record) for record in event["Records"]]
    with ThreadPoolExecutor(max_workers=len(deliveries)) as threads:
        kept = [handled.message_id for handled in threads.map(one, deliveries) if handled.keep]
    order_log.write()
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in kept]}


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Carry out what one of the jobs queues delivers."""
    telemetry.resume_collection()  # A batch of ten histories would fill the memory before the first answer.
    return handle(event, context, process().part(sync_service).handle_delivery)


def _delivery(record: dict[str, Any]) -> Delivery:
    received = int(record["attributes"]["ApproximateReceiveCount"])
    queue = record.get("eventSourceARN", "").rpartition(":")[2]
    return Delivery(record["messageId"], record["receiptHandle"], record["body"], received, queue)
