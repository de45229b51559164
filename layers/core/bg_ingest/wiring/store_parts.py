"""The stores that functions read from without calling the provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest import telemetry
from bg_ingest.access.audit import Audit
from bg_ingest.readings.store import ReadingStore
from bg_ingest.wiring.process import readings_table, users_table

if TYPE_CHECKING:
    from bg_ingest.wiring.process import Process


def reading_store(own: Process) -> ReadingStore:
    """The readings."""
    table = own.part(readings_table)
    return ReadingStore(table, own.clock, own.settings.retention_days, telemetry.correlation_id)


def audit(own: Process) -> Audit:
    """The audit log."""
    return Audit(own.part(users_table), own.clock, own.settings.audit_days)
