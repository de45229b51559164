"""The recorder of data changes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

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
