"""The collaborators of the operator's page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.aws import aws_clients
from bg_ingest.exporting.user_list import UserList
from bg_ingest.http_api.pages.status_values import StatusSources
from bg_ingest.settings import PROVIDER_NAMES
from bg_ingest.wiring.circuit_parts import provider_is_down
from bg_ingest.wiring.process import users_table

if TYPE_CHECKING:
    from bg_ingest.wiring.process import Process


def status_sources(own: Process) -> StatusSources:
    """What the operator's page reads in this process."""
    table, settings = own.part(users_table), own.settings
    return StatusSources(
        table=table,
        users=UserList(table, PROVIDER_NAMES),
        sqs=aws_clients.sqs(settings.aws_region),
        queues=StatusSources.queues_of(settings.status_queues),
        provider_is_down=own.part(provider_is_down),
        calls_per_hour=settings.shared_calls_per_hour,
        clock=own.clock,
    )
