"""
Connecting a user: by the confirmation of a login at the provider's page, or by credentials of an own server.

Each is one transaction: connected, polled, and the history ordered.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bg_ingest.clock import new_id
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.windows import history_after_reconnecting

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bg_ingest.connecting.flow import ConnectDeps
    from bg_ingest.connecting.parked_logins import ParkedLogin
    from bg_ingest.dynamo import Change
    from bg_ingest.providers.seam import CredentialLogin, Endpoint, Tokens


# A refresh, a disconnection or another login between our read and our write is rare, and each costs one try.
_TRIES_MAX = 4


@dataclass(frozen=True, slots=True)
class NewConnection:
    """A login that its user has made."""

    user_id: str = field(repr=False)
    endpoint: Endpoint
    tokens: Tokens
    started_at: datetime
    account: str | None = field(default=None, repr=False)
    interval_s: int | None = None  # Of a user who has not chosen one; None: the default.
    own_server: bool = False
    relays: bool = False  # The provider passes on what others measure.

    def changes(self, deps: ConnectDeps, order: Order) -> tuple[list[Change], Order]:
        """
        Return the writes: connected, polled, and the history's job stored; and the order of the source.

        No crash or throttled write can leave a connected user without polls. If the process dies before the
        order is in the queue, the daily reconciliation orders the history again.
        """
        source, replaced = deps.connections.to(self.user_id, self.endpoint.provider)
        known = deps.states.get(self.user_id, source)
        order = replace(order, source=source)
        history_from = deps.clock.now() - deps.history
        connected = deps.vault.new_login(
            self.user_id,
            self.endpoint,
            self.tokens,
            data_from=history_from,
            login_started_at=self.started_at,
            account=self.account,
            replaced=replaced,
            source=source,
            relays=self.relays,
        )
        if known:
            history_from = history_after_reconnecting(known, history_from)
        interval_s = (known.own_interval_s if known else None) or self.interval_s
        polled = deps.states.polling_started(
            self.user_id, interval_s, history_from, source, own_pace=self.own_server, relays=self.relays
        )
        _, ordered = deps.jobs.queued(order)
        return [connected, polled, ordered], order


class ConnectionContended(Exception):
    """The connection was changed by others at every try. The request can be repeated."""


@dataclass(frozen=True, slots=True)
class OwnServerLogin:
    """The login at users' own servers, and how often a user is polled there who has not chosen."""

    login: CredentialLogin
    interval_s: int
    relays: bool  # It passes on what other providers measure.


def connect_own_server(
    deps: ConnectDeps,
    own: OwnServerLogin,
    user_id: str,
    *,
    address: str,
    token: str,
    time_left_s: Callable[[], float],
    correlation_id: str,
) -> None:
    """
    Check the address and the token of a user's own server, and connect the user.

    The caller's token proves that they are this user, so the login needs no confirmation. Raises
    CredentialsRefused or TryLater.
    """
    started_at, endpoint = deps.clock.now(), own.login.endpoint
    tokens = own.login.check(address, token, time_left_s)
    new = NewConnection(
        user_id,
        endpoint,
        tokens,
        started_at,
        interval_s=own.interval_s,
        own_server=True,
        relays=own.relays,
    )
    order = Order(user_id, new_id(started_at), JobKind.BACKFILL, Trigger.CONNECTION, correlation_id)
    for _ in range(_TRIES_MAX):
        changes, order = new.changes(deps, order)
        if deps.connections.table.transact(changes):
            deps.send([order])
            return
    raise ConnectionContended


def confirm(deps: ConnectDeps, user_id: str, code: str, correlation_id: str) -> bool:
    """
    Connect the user whose login waits for this code; False if the code is not valid for this user.

    The caller must have shown that they are this user, or a service that acts for all users. The code works
    once. A wrong code leaves the login parked, so that a guess cannot end it.
    """
    now = deps.clock.now()
    order = Order(user_id, new_id(now), JobKind.BACKFILL, Trigger.CONNECTION, correlation_id)
    for _ in range(_TRIES_MAX):
        parked = deps.parked.get(user_id)
        if parked is None or not parked.is_confirmed_by(code):
            return False
        changes, order = _changes(deps, parked, order)
        if deps.connections.table.transact(changes):
            deps.send([order])
            return True
        # The login was used or replaced, or a token refresh has changed the connection: look again.
    return False


def _changes(deps: ConnectDeps, parked: ParkedLogin, order: Order) -> tuple[list[Change], Order]:
    new = NewConnection(
        parked.user_id, parked.endpoint, deps.parked.tokens(parked), parked.started_at, parked.account
    )
    changes, order = new.changes(deps, order)
    return [deps.parked.used(parked), *changes], order
