"""SQS: carry out an export, slice by slice; report the messages that stay in the queue."""

from __future__ import annotations

import bg_ingest.telemetry.boot  # noqa: F401 - the first import: it shortens the cold start.

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from bg_ingest import telemetry
from bg_ingest.exporting.export_job import DELIVERIES_MAX, ExportMessage, ExportStatus
from bg_ingest.exporting.export_run import ExportDelivery, ExportRun, SliceEnd, SliceResult
from bg_ingest.telemetry import metrics
from bg_ingest.wiring.exporter_parts import Hide, export_run, hide_export
from bg_ingest.wiring.process import process

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext


def handle(
    event: dict[str, Any], time_left_s: Callable[[], float], run: ExportRun, hide: Hide
) -> dict[str, Any]:
    """Carry out a slice of each export; a message that fails is delivered again."""
    kept = [
        record["messageId"] for record in event["Records"] if not _is_done(record, time_left_s, run, hide)
    ]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in kept]}


def _is_done(record: dict[str, Any], time_left_s: Callable[[], float], run: ExportRun, hide: Hide) -> bool:
    received = int(record["attributes"]["ApproximateReceiveCount"])
    try:
        message = ExportMessage.parse(record["body"])
    except (ValueError, KeyError, TypeError):
        telemetry.log("message unreadable", level=logging.ERROR, received=received)
        return False
    try:
        result = run.run(ExportDelivery(message, time_left_s, partial(hide, record["receiptHandle"])))
    except Exception as error:  # noqa: BLE001 - of any error: the message stays, and the others continue.
        telemetry.log("export failed", level=logging.ERROR, raised=error, received=received)
        if received >= DELIVERIES_MAX and run.jobs.end(message.key, ExportStatus.FAILED):
            telemetry.measure(metrics.EXPORTS, of=ExportStatus.FAILED)
        return False
    _record(result, received)
    return result.end is not SliceEnd.BUSY


def _record(result: SliceResult, received: int) -> None:
    if result.job is None:
        telemetry.log("export not carried out", end=result.end, received=received)
        return
    totals = result.job.totals
    telemetry.adopt_correlation_id(result.job.correlation_id)
    telemetry.log(
        "export slice done",
        level=logging.ERROR if totals.unreadable else logging.INFO,
        end=result.end,
        received=received,
        files=totals.files,
        unreadable=totals.unreadable,
    )
    if result.end is SliceEnd.SUCCEEDED:
        telemetry.measure(metrics.EXPORTS, of=ExportStatus.SUCCEEDED)


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Carry out what the queue of exports delivers."""
    telemetry.resume_collection()  # A slice makes many files; each would stay in the memory.
    telemetry.adopt_correlation_id(context.aws_request_id)
    own = process()
    return handle(
        event,
        lambda: context.get_remaining_time_in_millis() / 1000,
        own.part(export_run),
        own.part(hide_export),
    )
