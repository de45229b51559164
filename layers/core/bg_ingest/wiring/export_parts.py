"""The parts of exports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.access.caller_limits import CallerLimit, LimitPolicy, WriteLimits
from bg_ingest.aws import aws_clients
from bg_ingest.exporting.export_file import Exporter
from bg_ingest.exporting.export_jobs import ExportJobs
from bg_ingest.exporting.export_objects import ExportObjects, ExportRemoval
from bg_ingest.exporting.export_service import ExportService
from bg_ingest.exporting.user_list import UserList
from bg_ingest.settings import PROVIDER_NAMES
from bg_ingest.wiring.process import intake_table, users_table
from bg_ingest.wiring.store_parts import reading_store, write_limit

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.exporting.export_job import ExportMessage
    from bg_ingest.wiring.process import Process

EXPORT_ORDERS_PER_HOUR_MAX = 20
_ORDER_ROUTES = ("POST /api/bg/{userId}/exports", "POST /api/exports")


def user_list(own: Process) -> UserList:
    """The list of all users."""
    return UserList(own.part(users_table), PROVIDER_NAMES)


def exporter(own: Process) -> Exporter:
    """Makes exports."""
    provider_of, objects = own.part(user_list).own_provider_of, own.part(export_objects)
    return Exporter(own.part(reading_store), provider_of, objects=objects)


def export_objects(own: Process) -> ExportObjects:
    """The bucket of exports."""
    return ExportObjects(aws_clients.s3(own.settings.aws_region), own.settings.exports_bucket)


def export_jobs(own: Process) -> ExportJobs:
    """The exports in the users table."""
    return ExportJobs(own.part(users_table), own.clock)


def export_removal(own: Process) -> ExportRemoval:
    """Removes exports."""
    return ExportRemoval(own.part(export_jobs), own.part(export_objects))


def export_service(own: Process) -> ExportService:
    """Exports as callers see them."""
    return ExportService(
        jobs=own.part(export_jobs),
        removal=own.part(export_removal),
        objects=own.part(export_objects),
        send=own.part(send_export),
        clock=own.clock,
        retention_days=own.settings.retention_days,
    )


def send_export(own: Process) -> Callable[[ExportMessage], None]:
    """Sends a message to the queue of exports."""

    def send(message: ExportMessage) -> None:
        client = aws_clients.sqs(own.settings.aws_region)
        client.send_message(QueueUrl=own.settings.exports_queue_url, MessageBody=message.body())

    return send


def order_limit(own: Process) -> CallerLimit:
    """How often a caller may order an export."""
    policy = LimitPolicy("export-orders", EXPORT_ORDERS_PER_HOUR_MAX, 3_600)
    return CallerLimit(own.part(intake_table), own.clock, policy)


def export_limits(own: Process) -> WriteLimits:
    """How often a caller may write, and order an export."""
    return WriteLimits(own.part(write_limit), {route: own.part(order_limit) for route in _ORDER_ROUTES})
