"""The parts that carry out exports."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bg_ingest.aws import aws_clients
from bg_ingest.exporting.export_run import ExportRun
from bg_ingest.wiring.export_parts import (
    export_jobs,
    export_objects,
    export_removal,
    exporter,
    send_export,
    user_list,
)
from bg_ingest.wiring.store_parts import audit

if TYPE_CHECKING:
    from bg_ingest.wiring.process import Process


# Keep the message with this receipt from other processes for so many seconds from now.
Hide = Callable[[str, int], None]


def hide_export(own: Process) -> Hide:
    """Hides messages of the queue of exports."""

    def hide(receipt: str, delay_s: int) -> None:
        client = aws_clients.sqs(own.settings.aws_region)
        url = own.settings.exports_queue_url
        client.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=delay_s)

    return hide


def export_run(own: Process) -> ExportRun:
    """Carries out exports."""
    return ExportRun(
        jobs=own.part(export_jobs),
        users=own.part(user_list),
        exporter=own.part(exporter),
        objects=own.part(export_objects),
        removal=own.part(export_removal),
        audit=own.part(audit),
        send=own.part(send_export),
        clock=own.clock,
    )
