"""The eraser."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from bg_ingest.aws import aws_clients
from bg_ingest.erasing.erase import Eraser
from bg_ingest.erasing.receipt import Receipts
from bg_ingest.wiring.export_parts import export_jobs, export_objects
from bg_ingest.wiring.process import intake_table, readings_table, users_table

if TYPE_CHECKING:
    from bg_ingest.wiring.process import Process


def eraser(own: Process) -> Eraser:
    """The eraser of this process."""
    return Eraser(
        users=own.part(users_table),
        readings=own.part(readings_table),
        intake=own.part(intake_table),
        receipts=own.part(receipts),
        order_second_look=partial(_order_second_look, own),
        clock=own.clock,
        exports=own.part(export_jobs),
        remove_objects=own.part(export_objects).remove_all_of,
    )


def receipts(own: Process) -> Receipts:
    """The erasure receipts."""
    return Receipts(own.part(users_table), own.clock, own.settings.audit_days)


def _order_second_look(own: Process, user_id: str, in_s: int) -> None:
    aws_clients.sqs(own.settings.aws_region).send_message(
        QueueUrl=own.settings.erasures_queue_url,
        MessageBody=json.dumps({"user_id": user_id}),
        DelaySeconds=in_s,
    )
