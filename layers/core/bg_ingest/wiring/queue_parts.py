"""The parts that order a sync: connections, sync states, jobs and the jobs queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest import telemetry
from bg_ingest.accounts.connection import Connections
from bg_ingest.sync.jobs import Jobs
from bg_ingest.sync.queue import JobsQueue
from bg_ingest.sync.state import SyncStates
from bg_ingest.wiring import aws_clients
from bg_ingest.wiring.process import users_table

if TYPE_CHECKING:
    from bg_ingest.wiring.process import Process


def connections(own: Process) -> Connections:
    """The users' connections."""
    return Connections(own.part(users_table), own.clock, telemetry.correlation_id)


def states(own: Process) -> SyncStates:
    """The users' sync states."""
    return SyncStates(own.part(users_table), own.clock, own.settings.poll_interval_seconds)


def jobs(own: Process) -> Jobs:
    """The jobs of the last thirty days."""
    return Jobs(own.part(users_table), own.clock)


def jobs_queue(own: Process) -> JobsQueue:
    """The jobs queue."""
    return JobsQueue(aws_clients.sqs(own.settings.aws_region), own.settings.jobs_queue_url)
