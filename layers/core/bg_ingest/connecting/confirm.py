"""Confirmation of a login by the user it was made for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest import ids
from bg_ingest.connecting.new_connection import NewConnection
from bg_ingest.sync.job import JobKind, Order, Trigger

if TYPE_CHECKING:
    from bg_ingest.connecting.flow import ConnectDeps
    from bg_ingest.connecting.parked_logins import ParkedLogin
    from bg_ingest.dynamo import Change

# A refresh, a disconnection or another login between our read and our write is rare, and each costs one try.
_TRIES_MAX = 4


def confirm(deps: ConnectDeps, user_id: str, code: str, correlation_id: str) -> bool:
    """
    Connect the user, start polling and order the history; False if the code is not valid for this user.

    The caller must have shown that they are this user, or a service that acts for all users. The code works
    once. A wrong code leaves the login parked, so that a guess cannot end it.
    """
    now = deps.clock.now()
    order = Order(user_id, ids.new_id(now), JobKind.BACKFILL, Trigger.CONNECTION, correlation_id)
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
