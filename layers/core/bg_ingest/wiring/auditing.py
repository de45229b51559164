"""The recorder of changes, put together."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from bg_ingest.erasing.receipt import Receipts
from bg_ingest.publishing.audit_changes import record
from bg_ingest.settings import settings
from bg_ingest.wiring import stores

if TYPE_CHECKING:
    from bg_ingest.access.audit import AuditEntry
    from bg_ingest.publishing.audit_changes import AuditedChange


def record_change(change: AuditedChange) -> AuditEntry | None:
    """Put one change on record."""
    return record(change, audit=stores.audit(), erased_since=_receipts().erased_since)


@cache
def _receipts() -> Receipts:
    return Receipts(stores.users_table(), stores.clock(), settings().audit_days)
