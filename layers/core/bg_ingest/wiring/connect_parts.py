"""The collaborators of connecting."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from bg_ingest.access.caller_limits import CallerLimit, LimitPolicy, WriteLimits
from bg_ingest.accounts.sealing import Purpose
from bg_ingest.connecting.flow import ConnectDeps
from bg_ingest.connecting.logins import Logins
from bg_ingest.connecting.new_connection import OwnServerLogin
from bg_ingest.connecting.parked_logins import ParkedLogins
from bg_ingest.providers.seam import ProviderAccount
from bg_ingest.wiring import provider_parts
from bg_ingest.wiring.access.sealing_parts import sealer
from bg_ingest.wiring.process import intake_table, users_table
from bg_ingest.wiring.queue_parts import connections, jobs, jobs_queue, states
from bg_ingest.wiring.store_parts import audit, write_limit

if TYPE_CHECKING:
    from bg_ingest.providers.seam import Tokens
    from bg_ingest.wiring.process import Process

# The time for one call, so that the exchange, this call and the writes fit into the function's timeout.
_ACCOUNT_S_MAX = 8.0


def connect_deps(own: Process) -> ConnectDeps:
    """The collaborators of connecting in this process."""
    settings = own.settings
    return ConnectDeps(
        logins=Logins(own.part(users_table), own.clock),
        parked=ParkedLogins(own.part(users_table), sealer(own, Purpose.PARKED_TOKENS), own.clock),
        provider_login=own.part(provider_parts.dexcom).login,
        account_of=partial(_account_of, own),
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


def own_server_login(own: Process) -> OwnServerLogin:
    """The login of users with a server of their own."""
    provider = own.part(provider_parts.nightscout)
    offered = provider.capabilities
    return OwnServerLogin(provider.login, offered.poll_interval_s_min, relays=offered.relays)


def _account_of(own: Process, tokens: Tokens) -> str | None:
    """Ask the provider for a minute of readings, since its answer also names the account."""
    provider, now = own.part(provider_parts.dexcom), own.clock.now()
    account = ProviderAccount(provider.login.endpoint, None, lambda: _ACCOUNT_S_MAX)
    found = provider.readings(account, tokens.access_token, now - timedelta(minutes=1), now)
    return found.account_id_hash


def connection_limit(own: Process) -> CallerLimit:
    """How often a caller may start a login."""
    policy = LimitPolicy("connection", own.settings.connections_per_hour_max, 3_600)
    return CallerLimit(own.part(intake_table), own.clock, policy)


def connect_limits(own: Process) -> WriteLimits:
    """How often a caller may write, and start a login."""
    by_route = {"POST /api/bg/{userId}/connection": own.part(connection_limit)}
    return WriteLimits(own.part(write_limit), by_route)
