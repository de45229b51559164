"""SQS: write an audit entry for each revision and removal of stored readings."""

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
    """Record each change; return the messages that failed, so that only they are delivered again."""
    failed = [message["messageId"] for message in event["Records"] if not _recorded(message, record_change)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


@telemetry.entry_point
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Handle a batch of messages."""
    return handle(event, auditing.record_change)


def _recorded(message: dict[str, Any], record_change: RecordChange) -> bool:
    try:
        change = AuditedChange.from_message(message["body"])
        telemetry.adopt_correlation_id(change.correlation_id)
        entry = record_change(change)
    except Exception as error:  # noqa: BLE001 - any error keeps this message in the queue, and the others are handled.
        telemetry.log("change not recorded", level=logging.ERROR, raised=error)
        return False
    telemetry.log("change recorded", erased=entry is None)
    return True
