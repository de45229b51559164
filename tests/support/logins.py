"""Logins without the provider's page: the writes of a login, alone and at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.accounts.connection import FIRST_SOURCE, from_item

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.accounts.connection import Connection, Connections
    from bg_ingest.accounts.vault import Vault
    from bg_ingest.dynamo import Change
    from bg_ingest.providers.seam import Endpoint, Tokens


def save_login(
    connections: Connections,
    user_id: str,
    endpoint: Endpoint,
    sealed: bytes,
    *,
    data_from: datetime,
    source: str = FIRST_SOURCE,
    relays: bool = False,
) -> Connection:
    """Connect or reconnect a user with sealed tokens, and return the connection."""
    change = connections.new_login(
        user_id,
        endpoint,
        sealed,
        replaced=connections.get(user_id, source),
        data_from=data_from,
        source=source,
        relays=relays,
    )
    return _write(connections, change)


def store_tokens(
    vault: Vault,
    user_id: str,
    endpoint: Endpoint,
    tokens: Tokens,
    *,
    data_from: datetime,
    source: str = FIRST_SOURCE,
) -> Connection:
    """Connect or reconnect a user with these tokens, and return the connection."""
    change = vault.new_login(
        user_id,
        endpoint,
        tokens,
        data_from=data_from,
        login_started_at=vault.connections.clock.now(),
        replaced=vault.connections.get(user_id, source),
        source=source,
        relays=False,
    )
    return _write(vault.connections, change)


def _write(connections: Connections, change: Change) -> Connection:
    assert change.expression
    write = connections.table.update(
        change.pk, change.sk, change.expression, change.values or {}, change.condition
    )
    assert write.accepted
    assert write.item
    return from_item(write.item)
