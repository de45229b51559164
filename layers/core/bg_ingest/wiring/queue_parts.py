"""The parts that order a sync: connections, sync states, jobs and the jobs queue."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from bg_ingest import telemetry
from bg_ingest.accounts.connection import Connections
from bg_ingest.aws import aws_clients
from bg_ingest.sync.jobs import Jobs
from bg_ingest.sync.orders.queue import JobsQueue, ShardsQueue
from bg_ingest.sync.state import SyncStates
from bg_ingest.wiring.process import users_table

if TYPE_CHECKING:
    from bg_ingest.wiring.process import Process

SENDERS = 8  # Threads, which send batches at the same time. Below the connections of one AWS client.


def connections(own: Process) -> Connections:
    """The users' connections."""
    return Connections(own.part(users_table), own.clock, telemetry.correlation_id)


def states(own: Process) -> SyncStates:
    """The users' sync states."""
    settings = own.settings
    return SyncStates(own.part(users_table), own.clock, settings.poll_interval_seconds, settings.poll_shards)


def jobs(own: Process) -> Jobs:
    """The jobs of the last thirty days."""
    return Jobs(own.part(users_table), own.clock)


def jobs_queue(own: Process) -> JobsQueue:
    """The jobs queues."""
    settings = own.settings
    return JobsQueue(
        aws_clients.sqs(settings.aws_region),
        settings.jobs_queue_url,
        settings.polls_queue_url,
        settings.bulk_queue_url,
    )


def parallel_jobs_queue(own: Process) -> JobsQueue:
    """The jobs queues, for an order to each of many users."""
    return replace(own.part(jobs_queue), each=own.part(_sender_threads).map)


def shards_queue(own: Process) -> ShardsQueue:
    """The dispatcher's queue to itself."""
    settings = own.settings
    sqs = aws_clients.sqs(settings.aws_region)
    return ShardsQueue(sqs, settings.shards_queue_url, own.part(_sender_threads).map)


def _sender_threads(_: Process) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(SENDERS)
