"""SQS: write changes of stored readings to the audit log, and audit entries to the archive."""

from __future__ import annotations

import bg_ingest.telemetry.boot  # noqa: F401 - the first import: it shortens the cold start.

import logging
from typing import TYPE_CHECKING, Any

from bg_ingest import telemetry
from bg_ingest.publishing.audit_archive import archive_line
from bg_ingest.publishing.audit_changes import AuditedChange
from bg_ingest.wiring.access.audit_parts import audit_archive, record_change
from bg_ingest.wiring.process import process

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from bg_ingest.access.audit import AuditEntry

    RecordChange = Callable[[AuditedChange], AuditEntry | None]


def handle(
    event: dict[str, Any], record: RecordChange, archive: Callable[[Sequence[str]], None]
) -> dict[str, Any]:
    """Record each change, and archive the entries together. A message that failed stays in the queue."""
    lines: dict[str, str] = {}  # By the message's id.
    failed: list[str] = []
    for message in event["Records"]:
        try:
            line = archive_line(message["body"])
        except ValueError:
            line = None  # The change is unreadable, too.
        if line is not None:
            lines[message["messageId"]] = line
        elif not _recorded(message, record):
            failed.append(message["messageId"])
    if lines and not _archived([*lines.values()], archive):
        failed += lines
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Record what the bus put into the queue."""
    own = process()
    return handle(event, own.part(record_change), lambda lines: own.part(audit_archive).add(lines))


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


def _archived(lines: Sequence[str], archive: Callable[[Sequence[str]], None]) -> bool:
    try:
        archive(lines)
    except Exception as error:  # noqa: BLE001 - of any error: the messages stay.
        telemetry.log("entries not archived", level=logging.ERROR, raised=error, entries=len(lines))
        return False
    telemetry.log("entries archived", entries=len(lines))
    return True
