"""Connecting a user to a server of their own, with an address and a token that they type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bg_ingest import ids
from bg_ingest.connecting.new_connection import NewConnection
from bg_ingest.sync.job import JobKind, Order, Trigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.connecting.flow import ConnectDeps
    from bg_ingest.providers.seam import CredentialLogin

# A refresh, a disconnection or another login between our read and our write is rare, and each costs one try.
_TRIES_MAX = 4


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
    Check the credentials, connect the user, start polling and order the history.

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
    order = Order(user_id, ids.new_id(started_at), JobKind.BACKFILL, Trigger.CONNECTION, correlation_id)
    for _ in range(_TRIES_MAX):
        changes, order = new.changes(deps, order)
        if deps.connections.table.transact(changes):
            deps.send([order])
            return
    raise ConnectionContended
