"""Connecting a person to their Dexcom account: the link, the way back, and the end of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from bg_ingest.access.audit import Outcome
from bg_ingest.accounts import connection
from bg_ingest.dexcom.errors import ApplicationFull, DexcomError, TryLater
from bg_ingest.sync import state
from bg_ingest.sync.ask import ask_for_sync
from bg_ingest.sync.job import Kind, Order, Trigger, new_job_id
from bg_ingest.sync.windows import history_after_reconnecting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime, timedelta

    from bg_ingest.access.audit import Audit
    from bg_ingest.accounts.connection import Connections, Endpoint
    from bg_ingest.accounts.vault import Vault
    from bg_ingest.clock import Clock
    from bg_ingest.connecting.login import Login, Logins
    from bg_ingest.dexcom.oauth import Tokens
    from bg_ingest.sync.job import Job
    from bg_ingest.sync.jobs import Jobs
    from bg_ingest.sync.state import SyncStates


# The callback carries no token: whoever holds the one-time state value counts as the person it was made for.
_ACTOR = "holder-of-the-login"
_ACTION = "GET /oauth/callback"


class Ending(StrEnum):
    """How a login ended."""

    CONNECTED = "connected"
    DENIED = "denied"
    STATE_INVALID = "state_invalid"
    REFUSED = "refused"  # The provider did not take the code.
    UNAVAILABLE = "unavailable"  # The provider could not be reached, or has too much to do.
    FULL = "full"  # The provider lets no more people connect to this application.


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a login, where the person wanted to go afterwards, and the kind of trouble there was."""

    ending: Ending
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
class Desk:
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


def start(desk: Desk, user_id: str, return_url: str | None) -> tuple[str, datetime]:
    """The address where this person logs in, and until when it is good."""
    state_value, login = desk.logins.start(user_id, return_url)
    return desk.provider.authorize_url(state_value), login.expires_at


def come_back(
    desk: Desk, *, state_value: str | None, code: str | None, error: str | None, correlation_id: str
) -> Ended:
    """A person came back from the provider: store their tokens, start polling, fetch their history."""
    login = desk.logins.finish(state_value) if state_value else None
    if login is None:
        return Ended(Ending.STATE_INVALID)
    entry = desk.audit.entry(login.user_id, actor=_ACTOR, action=_ACTION, correlation_id=correlation_id)
    desk.audit.keep(entry)
    ended = _ended(desk, login, code=code, error=error, correlation_id=correlation_id)
    if ended.ending is not Ending.CONNECTED:
        desk.logins.done(login)
    # Should this fail, the entry goes on saying "attempted", which is true; the person is connected.
    desk.audit.complete(entry, Outcome.DONE if ended.ending is Ending.CONNECTED else Outcome.REFUSED)
    return ended


def disconnect(desk: Desk, user_id: str) -> None:
    """Stop polling, then forget the tokens; readings stay."""
    desk.states.stop(user_id)
    desk.connections.disconnect(user_id)


def _ended(desk: Desk, login: Login, *, code: str | None, error: str | None, correlation_id: str) -> Ended:
    if error == "access_denied":
        return Ended(Ending.DENIED, login.return_url)
    if not code:
        return Ended(Ending.REFUSED, login.return_url)
    try:
        tokens = desk.provider.exchange(code)
    except DexcomError as trouble:
        return Ended(_ending_of(trouble), login.return_url, type(trouble).__name__)
    job = _begin(desk, login, tokens, correlation_id)
    if not desk.logins.done(login):
        _take_back(desk, job)
        return Ended(Ending.REFUSED, login.return_url)
    return Ended(Ending.CONNECTED, login.return_url)


def _ending_of(trouble: DexcomError) -> Ending:
    match trouble:
        case ApplicationFull():
            return Ending.FULL
        case TryLater():
            return Ending.UNAVAILABLE
    return Ending.REFUSED


def _take_back(desk: Desk, job: Job) -> None:
    """The person was erased while they logged in: nothing of this login may stay."""
    # Should this process die before it is through, the connection is left, and the erasure's second look sees
    # that its login is older than the erasure. So the connection goes last.
    for sk in (f"job#{job.order.job_id}", state.SK, connection.SK):
        desk.logins.table.delete(job.order.user_id, sk)


def _begin(desk: Desk, login: Login, tokens: Tokens, correlation_id: str) -> Job:
    # In this order: a crash in between leaves a connection that the person sees is not being synced,
    # and logging in again repairs it; the other way round there would be polls without tokens.
    user_id, now = login.user_id, desk.clock.now()
    known = desk.states.get(user_id)
    desk.vault.store(
        user_id, desk.endpoint, tokens, data_from=now - desk.history, login_started_at=login.started_at
    )
    history_from = now - desk.history
    if known:
        history_from = history_after_reconnecting(known, history_from)
    desk.states.begin(user_id, known.own_interval_s if known else None, history_from)
    order = Order(user_id, new_job_id(now), Kind.BACKFILL, Trigger.CONNECTION, correlation_id)
    return ask_for_sync(order, jobs=desk.jobs, send=desk.send)
