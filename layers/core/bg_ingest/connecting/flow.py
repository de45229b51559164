"""Connecting a person to their Dexcom account: the link, the way back, and the end of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from bg_ingest.access.audit import AuditOutcome
from bg_ingest.accounts import connection
from bg_ingest.providers.errors import ApplicationFull, ProviderError, TryLater
from bg_ingest.sync import state
from bg_ingest.sync.job import JobKind, Order, Trigger, new_job_id
from bg_ingest.sync.jobs import enqueue
from bg_ingest.sync.windows import history_after_reconnecting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime, timedelta

    from bg_ingest.access.audit import Audit
    from bg_ingest.accounts.connection import Connections, Endpoint
    from bg_ingest.accounts.vault import Vault
    from bg_ingest.clock import Clock
    from bg_ingest.connecting.logins import Login, Logins
    from bg_ingest.providers.dexcom.oauth import Tokens
    from bg_ingest.sync.job import Job
    from bg_ingest.sync.jobs import Jobs
    from bg_ingest.sync.state import SyncStates


# The callback carries no token: whoever holds the one-time state value counts as the person it was made for.
_ACTOR = "holder-of-the-login"
_ACTION = "GET /oauth/callback"


class LoginOutcome(StrEnum):
    """How a login ended."""

    CONNECTED = "connected"
    DENIED = "denied"
    STATE_INVALID = "state_invalid"
    REFUSED = "refused"  # The provider did not take the code.
    UNAVAILABLE = "unavailable"  # The provider could not be reached, or has too much to do.
    FULL = "full"  # The provider lets no more people connect to this application.


@dataclass(frozen=True, slots=True)
class LoginResult:
    """The end of a login, where the person wanted to go afterwards, and the kind of trouble there was."""

    ending: LoginOutcome
    return_url: str | None = None
    trouble: str | None = None


class ProviderLogin(Protocol):
    """The provider's side of a login."""

    def authorize_url(self, state: str) -> str:
        """Where a person logs in."""
        ...

    def exchange(self, code: str) -> Tokens:
        """The tokens for a code that a person came back with."""
        ...


@dataclass(frozen=True, slots=True)
class ConnectDeps:
    """What connecting needs at hand."""

    logins: Logins
    provider: ProviderLogin
    endpoint: Endpoint
    vault: Vault
    connections: Connections
    audit: Audit
    states: SyncStates
    jobs: Jobs
    send: Callable[[Iterable[Order]], None]
    clock: Clock
    history: timedelta


def start(deps: ConnectDeps, user_id: str, return_url: str | None) -> tuple[str, datetime]:
    """The address where this person logs in, and until when it is good."""
    state_value, login = deps.logins.start(user_id, return_url)
    return deps.provider.authorize_url(state_value), login.expires_at


def finish_login(
    deps: ConnectDeps, *, state_value: str | None, code: str | None, error: str | None, correlation_id: str
) -> LoginResult:
    """A person came back from the provider: store their tokens, start polling, fetch their history."""
    login = deps.logins.finish(state_value) if state_value else None
    if login is None:
        return LoginResult(LoginOutcome.STATE_INVALID)
    entry = deps.audit.entry(login.user_id, actor=_ACTOR, action=_ACTION, correlation_id=correlation_id)
    deps.audit.keep(entry)
    ended = _outcome(deps, login, code=code, error=error, correlation_id=correlation_id)
    if ended.ending is not LoginOutcome.CONNECTED:
        deps.logins.done(login)
    # Should this fail, the entry goes on saying "attempted", which is true; the person is connected.
    deps.audit.complete(
        entry, AuditOutcome.DONE if ended.ending is LoginOutcome.CONNECTED else AuditOutcome.REFUSED
    )
    return ended


def disconnect(deps: ConnectDeps, user_id: str) -> None:
    """Stop polling, then forget the tokens; readings stay."""
    deps.states.stop(user_id)
    deps.connections.disconnect(user_id)


def _outcome(
    deps: ConnectDeps, login: Login, *, code: str | None, error: str | None, correlation_id: str
) -> LoginResult:
    if error == "access_denied":
        return LoginResult(LoginOutcome.DENIED, login.return_url)
    if not code:
        return LoginResult(LoginOutcome.REFUSED, login.return_url)
    try:
        tokens = deps.provider.exchange(code)
    except ProviderError as trouble:
        return LoginResult(_outcome_of(trouble), login.return_url, type(trouble).__name__)
    job = _store_login(deps, login, tokens, correlation_id)
    if not deps.logins.done(login):
        _undo_login(deps, job)
        return LoginResult(LoginOutcome.REFUSED, login.return_url)
    return LoginResult(LoginOutcome.CONNECTED, login.return_url)


def _outcome_of(trouble: ProviderError) -> LoginOutcome:
    match trouble:
        case ApplicationFull():
            return LoginOutcome.FULL
        case TryLater():
            return LoginOutcome.UNAVAILABLE
    return LoginOutcome.REFUSED


def _undo_login(deps: ConnectDeps, job: Job) -> None:
    """The person was erased while they logged in: nothing of this login may stay."""
    # Should this process die before it is through, the connection is left, and the erasure's second look sees
    # that its login is older than the erasure. So the connection goes last.
    for sk in (f"job#{job.order.job_id}", state.SK, connection.SK):
        deps.logins.table.delete(job.order.user_id, sk)


def _store_login(deps: ConnectDeps, login: Login, tokens: Tokens, correlation_id: str) -> Job:
    # In this order: a crash in between leaves a connection that the person sees is not being synced,
    # and logging in again repairs it; the other way round there would be polls without tokens.
    user_id, now = login.user_id, deps.clock.now()
    known = deps.states.get(user_id)
    deps.vault.store(
        user_id, deps.endpoint, tokens, data_from=now - deps.history, login_started_at=login.started_at
    )
    history_from = now - deps.history
    if known:
        history_from = history_after_reconnecting(known, history_from)
    deps.states.begin(user_id, known.own_interval_s if known else None, history_from)
    order = Order(user_id, new_job_id(now), JobKind.BACKFILL, Trigger.CONNECTION, correlation_id)
    return enqueue(order, jobs=deps.jobs, send=deps.send)
