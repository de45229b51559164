"""SQS: put on record what changed in people's readings."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from bg_ingest import telemetry
from bg_ingest.publishing.audit_changes import AuditedChange
from bg_ingest.wiring import auditing

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from bg_ingest.access.audit import AuditEntry

    RecordChange = Callable[[AuditedChange], AuditEntry | None]


def handle(event: dict[str, Any], record_change: RecordChange) -> dict[str, Any]:
    """Record each change; one that cannot be recorded stays in the queue, and no other with it."""
    failed = [message["messageId"] for message in event["Records"] if not _recorded(message, record_change)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


@telemetry.entry_point
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Take what the bus put into the queue."""
    return handle(event, auditing.record_change)


def _recorded(message: dict[str, Any], record_change: RecordChange) -> bool:
    try:
        change = AuditedChange.from_message(message["body"])
        telemetry.adopt_correlation_id(change.correlation_id)
        entry = record_change(change)
    except Exception as error:  # noqa: BLE001 - whatever it is, it stays in the queue and the others go on.
        telemetry.log("change not recorded", level=logging.ERROR, raised=error)
        return False
    telemetry.log("change recorded", erased=entry is None)
    return True
