"""The recorder of data changes, and the archive of audit entries."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bg_ingest.aws import aws_clients
from bg_ingest.publishing.audit_archive import AuditArchive
from bg_ingest.publishing.audit_changes import record
from bg_ingest.wiring.erase_parts import receipts
from bg_ingest.wiring.store_parts import audit

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.access.audit import AuditEntry
    from bg_ingest.publishing.audit_changes import AuditedChange
    from bg_ingest.wiring.process import Process


def record_change(own: Process) -> Callable[[AuditedChange], AuditEntry | None]:
    """Writes one data change to the audit log."""
    return partial(record, audit=own.part(audit), erased_since=own.part(receipts).erased_since)


def audit_archive(own: Process) -> AuditArchive:
    """The bucket that keeps every version of every audit entry."""
    settings = own.settings
    return AuditArchive(aws_clients.s3(settings.aws_region), settings.audit_archive_bucket, own.clock)
