"""Connecting a user to their provider account: start a login, finish it, disconnect."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from bg_ingest import ids
from bg_ingest.access.audit import AuditOutcome
from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.providers.errors import ApplicationFull, ProviderError, TryLater
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.windows import history_after_reconnecting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime, timedelta

    from bg_ingest.access.audit import Audit
    from bg_ingest.accounts.connection import Connections
    from bg_ingest.accounts.vault import Vault
    from bg_ingest.clock import Clock
    from bg_ingest.connecting.logins import Login, Logins
    from bg_ingest.providers.seam import OAuthLogin, Tokens
    from bg_ingest.sync.jobs import Jobs
    from bg_ingest.sync.state import SyncStates

# The callback carries no token: its actor is the holder of the one-time state value.
_ACTOR = "holder-of-the-login"
_ACTION = "GET /oauth/callback"


class LoginOutcome(StrEnum):
    """How a login ended."""

    CONNECTED = "connected"
    REPEATED = "repeated"  # The page was loaded again after the login had connected the user.
    DENIED = "denied"
    STATE_INVALID = "state_invalid"
    REFUSED = "refused"  # The provider rejected the code.
    UNAVAILABLE = "unavailable"  # The provider could not be reached, or is overloaded.
    FULL = "full"  # The provider accepts no more users for this application.


@dataclass(frozen=True, slots=True)
class LoginResult:
    """The end of a login, the address to continue at, and the class of the provider's error, if any."""

    outcome: LoginOutcome
    return_url: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectDeps:
    """The collaborators of this use case."""

    logins: Logins
    provider_login: OAuthLogin
    vault: Vault
    connections: Connections
    audit: Audit
    states: SyncStates
    jobs: Jobs
    send: Callable[[Iterable[Order]], None]
    clock: Clock
    history: timedelta


def start(deps: ConnectDeps, user_id: str, return_url: str | None) -> tuple[str, datetime]:
    """The address of the login page for this user, and when the login expires."""
    state_value, login = deps.logins.start(user_id, return_url)
    return deps.provider_login.authorize_url(state_value), login.expires_at


def finish_login(
    deps: ConnectDeps, *, state_value: str | None, code: str | None, error: str | None, correlation_id: str
) -> LoginResult:
    """Handle the provider's callback: store the tokens, start polling, order the history."""
    login = deps.logins.finish(state_value) if state_value else None
    if login is None:
        return _repeated(deps, state_value)
    entry = deps.audit.new_entry(login.user_id, actor=_ACTOR, action=_ACTION, correlation_id=correlation_id)
    deps.audit.save(entry)
    result = _result(deps, login, code=code, error=error, correlation_id=correlation_id)
    connected = result.outcome is LoginOutcome.CONNECTED
    if not connected:
        deps.logins.done(login)
    # If this write fails, the entry stays "attempted", which is true; the user is connected.
    deps.audit.complete(entry, AuditOutcome.DONE if connected else AuditOutcome.REFUSED)
    return result


def _repeated(deps: ConnectDeps, state_value: str | None) -> LoginResult:
    """Show a reloaded page what it said before, as long as the login it belongs to is in force."""
    login = deps.logins.repeated(state_value) if state_value else None
    connection = deps.connections.get(login.user_id) if login else None
    if login is None or connection is None or connection.state is not ConnectionState.CONNECTED:
        return LoginResult(LoginOutcome.STATE_INVALID)
    return LoginResult(LoginOutcome.REPEATED, login.return_url)


def disconnect(deps: ConnectDeps, user_id: str) -> None:
    """Stop polling and delete the tokens, in one transaction; readings stay."""
    changes = [deps.states.polling_stopped(user_id), deps.connections.disconnected(user_id)]
    if not deps.connections.table.transact(changes):
        # One of the items does not exist: the user never connected, or is being erased.
        deps.states.stop_polling(user_id)
        deps.connections.disconnect(user_id)


def _result(
    deps: ConnectDeps, login: Login, *, code: str | None, error: str | None, correlation_id: str
) -> LoginResult:
    if error == "access_denied":
        return LoginResult(LoginOutcome.DENIED, login.return_url)
    if not code:
        return LoginResult(LoginOutcome.REFUSED, login.return_url)
    try:
        tokens = deps.provider_login.exchange(code)
    except ProviderError as failure:
        return LoginResult(_outcome_of(failure), login.return_url, type(failure).__name__)
    if not _store_login(deps, login, tokens, correlation_id):
        return LoginResult(LoginOutcome.REFUSED, login.return_url)
    return LoginResult(LoginOutcome.CONNECTED, login.return_url)


def _outcome_of(failure: ProviderError) -> LoginOutcome:
    match failure:
        case ApplicationFull():
            return LoginOutcome.FULL
        case TryLater():
            return LoginOutcome.UNAVAILABLE
    return LoginOutcome.REFUSED


def _store_login(deps: ConnectDeps, login: Login, tokens: Tokens, correlation_id: str) -> bool:
    """
    Connect, start polling and store the history's job in one transaction; False if the user was erased.

    No crash or throttled write can leave a connected user without polls. If the process dies before the order
    is in the queue, the daily reconciliation orders the history again.
    """
    user_id, now = login.user_id, deps.clock.now()
    known = deps.states.get(user_id)
    history_from = now - deps.history
    connected = deps.vault.new_login(
        user_id,
        deps.provider_login.endpoint,
        tokens,
        data_from=history_from,
        login_started_at=login.started_at,
    )
    if known:
        history_from = history_after_reconnecting(known, history_from)
    polled = deps.states.polling_started(user_id, known.own_interval_s if known else None, history_from)
    order = Order(user_id, ids.new_id(now), JobKind.BACKFILL, Trigger.CONNECTION, correlation_id)
    _, ordered = deps.jobs.queued(order)
    if not deps.logins.table.transact([deps.logins.finished(login), connected, polled, ordered]):
        return False
    deps.send([order])
    return True
