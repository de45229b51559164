"""The collaborators of connecting."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.access.caller_limits import CallerLimit, LimitPolicy
from bg_ingest.connecting.flow import ConnectDeps
from bg_ingest.connecting.logins import Logins
from bg_ingest.wiring import provider_parts
from bg_ingest.wiring.process import users_table
from bg_ingest.wiring.queue_parts import connections, jobs, jobs_queue, states
from bg_ingest.wiring.store_parts import audit

if TYPE_CHECKING:
    from bg_ingest.wiring.process import Process


def connect_deps(own: Process) -> ConnectDeps:
    """The collaborators of connecting in this process."""
    settings = own.settings
    return ConnectDeps(
        logins=Logins(own.part(users_table), own.clock),
        provider_login=own.part(provider_parts.dexcom).login,
        vault=own.part(provider_parts.vault),
        connections=own.part(connections),
        audit=own.part(audit),
        states=own.part(states),
        jobs=own.part(jobs),
        send=own.part(jobs_queue).send,
        clock=own.clock,
        # Readings older than the retention are not fetched: their days would show as days without readings.
        history=timedelta(days=min(settings.backfill_days_max, settings.retention_days)),
    )


def connection_limit(own: Process) -> CallerLimit:
    """How often a caller may start a login."""
    policy = LimitPolicy("connection", own.settings.connections_per_hour_max, 3_600)
    return CallerLimit(own.part(users_table), own.clock, policy)
