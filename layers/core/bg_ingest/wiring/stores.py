"""Everything that is kept in the two tables and in the queue."""

from __future__ import annotations

from functools import cache

from bg_ingest import telemetry
from bg_ingest.access.audit import Audit
from bg_ingest.accounts.connection import Connections
from bg_ingest.clock import SystemClock
from bg_ingest.connecting.logins import Logins
from bg_ingest.dynamo import Table
from bg_ingest.readings.store import ReadingStore
from bg_ingest.settings import settings
from bg_ingest.sync.completeness_store import CompletenessStore
from bg_ingest.sync.jobs import Jobs
from bg_ingest.sync.queue import JobsQueue
from bg_ingest.sync.state import SyncStates
from bg_ingest.webhooks.inbox import Inbox
from bg_ingest.wiring import aws_clients


@cache
def clock() -> SystemClock:
    """The time."""
    return SystemClock()


@cache
def readings_table() -> Table:
    """The readings table."""
    return Table(aws_clients.dynamodb(), settings().dynamodb_table)


@cache
def users_table() -> Table:
    """The users table."""
    return Table(aws_clients.dynamodb(), settings().users_table)


@cache
def reading_store() -> ReadingStore:
    """The readings."""
    return ReadingStore(readings_table(), clock(), settings().retention_days, telemetry.correlation_id)


@cache
def states() -> SyncStates:
    """Where each user's syncing stands."""
    return SyncStates(users_table(), clock(), settings().poll_interval_seconds)


@cache
def days() -> CompletenessStore:
    """How complete each user's days are."""
    return CompletenessStore(users_table(), clock())


@cache
def jobs() -> Jobs:
    """The jobs of the last thirty days."""
    return Jobs(users_table(), clock())


@cache
def connections() -> Connections:
    """Each user's connection."""
    return Connections(users_table(), clock(), telemetry.correlation_id)


@cache
def logins() -> Logins:
    """The logins under way."""
    return Logins(users_table(), clock())


@cache
def inbox() -> Inbox:
    """The webhooks that came."""
    return Inbox(users_table(), clock())


@cache
def audit() -> Audit:
    """Who did what to whose data."""
    return Audit(users_table(), clock(), settings().audit_days)


@cache
def queue() -> JobsQueue:
    """The jobs queue."""
    return JobsQueue(aws_clients.sqs(), settings().jobs_queue_url)
