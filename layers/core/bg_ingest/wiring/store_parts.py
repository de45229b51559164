"""The stores that functions read from without calling the provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest import telemetry
from bg_ingest.access.audit import Audit
from bg_ingest.access.caller_limits import CallerLimit, LimitPolicy, WriteLimits
from bg_ingest.readings.changes.change_feed import ChangeFeed
from bg_ingest.readings.changes.late_log import LateLog
from bg_ingest.readings.store import ReadingStore
from bg_ingest.wiring.process import intake_table, readings_table, users_table

if TYPE_CHECKING:
    from bg_ingest.wiring.process import Process


def reading_store(own: Process) -> ReadingStore:
    """The readings."""
    table = own.part(readings_table)
    announce = own.part(late_log).announce
    return ReadingStore(
        table, own.clock, own.settings.retention_days, telemetry.correlation_id, announce_late=announce
    )


def late_log(own: Process) -> LateLog:
    """The log of writes to old hours."""
    return LateLog(own.part(users_table), own.clock)


def change_feed(own: Process) -> ChangeFeed:
    """The feeds of changes."""
    return ChangeFeed(own.part(reading_store), own.part(late_log), own.clock)


def write_limit(own: Process) -> CallerLimit:
    """How often a caller may write, by all routes together that have no limit of their own."""
    policy = LimitPolicy("write", own.settings.writes_per_minute_max, 60)
    return CallerLimit(own.part(intake_table), own.clock, policy)


def write_limits(own: Process) -> WriteLimits:
    """The limit of a function without expensive routes."""
    return WriteLimits(own.part(write_limit))


def audit(own: Process) -> Audit:
    """The audit log."""
    return Audit(own.part(users_table), own.clock, own.settings.audit_days)
