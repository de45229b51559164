"""
Connecting a user to their provider account: start a login, take in the provider's answer, disconnect.

    start ──► the provider's login page ──► finish_login: parked ──► confirm (new_connection.py): connected
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from bg_ingest.access.audit import AuditOutcome
from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.providers.errors import ApplicationFull, ProviderError, TryLater

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime, timedelta

    from bg_ingest.access.audit import Audit
    from bg_ingest.accounts.connection import Connections
    from bg_ingest.accounts.vault import Vault
    from bg_ingest.clock import Clock
    from bg_ingest.connecting.logins import Login, Logins
    from bg_ingest.connecting.parked_logins import ParkedLogins
    from bg_ingest.providers.seam import OAuthLogin, Tokens
    from bg_ingest.sync.job import Order
    from bg_ingest.sync.jobs import Jobs
    from bg_ingest.sync.state import SyncStates

# The callback carries no token: its actor is the holder of the one-time state value.
_ACTOR = "holder-of-the-login"
_ACTION = "GET /oauth/callback"


class LoginOutcome(StrEnum):
    """How a login ended."""

    PARKED = "parked"  # The provider accepted it; the user has to confirm it.
    WAITING = "waiting"  # The page was loaded again before the user has confirmed the login.
    CONFIRMED = "confirmed"  # The page was loaded again after the user has confirmed the login.
    DENIED = "denied"
    STATE_INVALID = "state_invalid"
    ACCOUNT_CHANGED = "account_changed"  # The stored readings are of another account at the provider.
    REFUSED = "refused"  # The provider rejected the code.
    UNAVAILABLE = "unavailable"  # The provider could not be reached, or is overloaded.
    FULL = "full"  # The provider accepts no more users for this application.


@dataclass(frozen=True, slots=True)
class LoginResult:
    """The end of a login, the address to continue at, and the class of the provider's error, if any."""

    outcome: LoginOutcome
    return_url: str | None = None
    error: str | None = None
    user_id: str | None = field(default=None, repr=False)  # Of a parked login, as is its code.
    code: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ConnectDeps:
    """The collaborators of this use case."""

    logins: Logins
    parked: ParkedLogins
    provider_login: OAuthLogin
    account_of: Callable[[Tokens], str | None]  # A hash of the account's id, if it is known.
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
    """Handle the provider's callback: park the tokens until the user has confirmed the login."""
    login = deps.logins.finish(state_value) if state_value else None
    if login is None:
        return _repeated(deps, state_value)
    entry = deps.audit.new_entry(login.user_id, actor=_ACTOR, action=_ACTION, correlation_id=correlation_id)
    deps.audit.save(entry)
    result = _result(deps, login, code=code, error=error)
    is_parked = result.outcome is LoginOutcome.PARKED
    if not is_parked:
        deps.logins.done(login)
    # If this write fails, the entry stays "attempted", which is true; the login is parked.
    deps.audit.complete(entry, AuditOutcome.DONE if is_parked else AuditOutcome.REFUSED)
    return result


def _repeated(deps: ConnectDeps, state_value: str | None) -> LoginResult:
    """Return the state of a login whose page is loaded again, as long as the login is in force."""
    login = deps.logins.repeated(state_value) if state_value else None
    if login is None:
        return LoginResult(LoginOutcome.STATE_INVALID)
    parked = deps.parked.get(login.user_id)
    if parked and parked.login_key == login.key:
        return LoginResult(LoginOutcome.WAITING, login.return_url)
    _, connection = deps.connections.to(login.user_id, deps.provider_login.endpoint.provider)
    if connection is None or connection.state is not ConnectionState.CONNECTED:
        return LoginResult(LoginOutcome.STATE_INVALID)
    return LoginResult(LoginOutcome.CONFIRMED, login.return_url)


def disconnect(deps: ConnectDeps, user_id: str, provider: str | None = None) -> None:
    """
    Stop polling and delete the tokens, also parked ones, in one transaction; readings stay.

    With a provider, only the source at this provider ends, and the others stay as they are.
    """
    known = deps.connections.of_user(user_id)
    sources = [each.source for each in known if provider in {None, each.endpoint.provider}]
    removed = (
        [deps.parked.removed(user_id)] if provider in {None, deps.provider_login.endpoint.provider} else []
    )
    changes = [
        change
        for source in sources
        for change in (
            deps.states.polling_stopped(user_id, source),
            deps.connections.disconnected(user_id, source),
        )
    ]
    if not deps.connections.table.transact([*changes, *removed]):
        # One of the items does not exist: the user is being erased.
        for source in sources:
            deps.states.stop_polling(user_id, source)
            deps.connections.disconnect(user_id, source)
        deps.connections.table.transact(removed)


def _result(deps: ConnectDeps, login: Login, *, code: str | None, error: str | None) -> LoginResult:
    if error == "access_denied":
        return LoginResult(LoginOutcome.DENIED, login.return_url)
    if not code:
        return LoginResult(LoginOutcome.REFUSED, login.return_url)
    try:
        tokens = deps.provider_login.exchange(code)
    except ProviderError as failure:
        return LoginResult(_outcome_of(failure), login.return_url, type(failure).__name__)
    account = _account(deps, tokens)
    source, known = deps.connections.to(login.user_id, deps.provider_login.endpoint.provider)
    if account and known and known.account not in {None, account}:
        # The connection that the user has stays as it is; the tokens of the other account are dropped.
        deps.states.note_other_account(login.user_id, source)
        return LoginResult(LoginOutcome.ACCOUNT_CHANGED, login.return_url)
    confirm_code, parked = deps.parked.parked(login, deps.provider_login.endpoint, tokens, account)
    # If this is refused, the user was erased meanwhile.
    if not deps.logins.table.transact([deps.logins.finished(login), parked]):
        return LoginResult(LoginOutcome.REFUSED, login.return_url)
    return LoginResult(LoginOutcome.PARKED, login.return_url, user_id=login.user_id, code=confirm_code)


def _account(deps: ConnectDeps, tokens: Tokens) -> str | None:
    """The provider's account of these tokens; None if the provider does not answer: the first sync checks."""
    try:
        return deps.account_of(tokens)
    except ProviderError:
        return None


def _outcome_of(failure: ProviderError) -> LoginOutcome:
    match failure:
        case ApplicationFull():
            return LoginOutcome.FULL
        case TryLater():
            return LoginOutcome.UNAVAILABLE
    return LoginOutcome.REFUSED
