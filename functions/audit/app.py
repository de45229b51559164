"""SQS: write changes of stored readings to the audit log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from bg_ingest import telemetry
from bg_ingest.publishing.audit_changes import AuditedChange
from bg_ingest.wiring.audit_parts import record_change
from bg_ingest.wiring.process import process

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from bg_ingest.access.audit import AuditEntry

    RecordChange = Callable[[AuditedChange], AuditEntry | None]


def handle(event: dict[str, Any], record: RecordChange) -> dict[str, Any]:
    """Record each change. Only a message that cannot be recorded stays in the queue."""
    failed = [message["messageId"] for message in event["Records"] if not _recorded(message, record)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Record what the bus put into the queue."""
    return handle(event, process().part(record_change))


def _recorded(message: dict[str, Any], record: RecordChange) -> bool:
    try:
        change = AuditedChange.from_message(message["body"])
        telemetry.adopt_correlation_id(change.correlation_id)
        entry = record(change)
    except Exception as error:  # noqa: BLE001 - of any error: the message stays, and the others continue.
        telemetry.log("change not recorded", level=logging.ERROR, raised=error)
        return False
    telemetry.log("change recorded", erased=entry is None)
    return True
