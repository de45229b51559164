"""Asking the provider about one user: with their token, in their region, about the account we know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from bg_ingest.accounts.connection import AccountSeen, State
from bg_ingest.accounts.vault import NotConnected
from bg_ingest.providers.errors import TokenRejected
from bg_ingest.sync.run import LeaseLost

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bg_ingest.accounts.connection import Connection, Connections
    from bg_ingest.providers.dexcom.responses import DataRange, Egvs, Span

Answer = TypeVar("Answer")


class AccountChanged(Exception):
    """The answer is about another provider account than this user's readings so far."""


class Client(Protocol):
    """The part of the Dexcom client that a sync uses."""

    def egvs(self, access_token: str, start: datetime, end: datetime) -> Egvs:
        """What the provider has of `[start, end)`."""
        ...

    def data_range(self, access_token: str, last_sync_time: datetime | None = None) -> DataRange:
        """From when to when there is data, or data that was uploaded after that time."""
        ...


class Tokens(Protocol):
    """The part of the vault that a sync uses."""

    def access_token(self, user_id: str, *, rejected: str | None = None) -> str:
        """A token that works, and is not the rejected one."""
        ...


@dataclass(frozen=True, slots=True)
class ConnectedProvider:
    """Everybody's provider; a token it does not accept is refreshed once."""

    connections: Connections
    tokens: Tokens
    client_for: Callable[[Connection], Client]

    def readings(self, user_id: str, start: datetime, end: datetime) -> Egvs:
        """What the provider has of `[start, end)`, if it is about the account we know."""
        connection = self._connection(user_id)
        fetched = self._ask(connection, lambda client, token: client.egvs(token, start, end))
        account, connection = fetched.account_id_hash, self._still(connection)
        if account and self.connections.note_account(connection, account) in _NOT_THEIRS:
            # Not "connected" to whoever looks: nothing will come until they log in as themselves.
            self.connections.mark_needs_reauth(user_id, connection.generation)
            raise AccountChanged
        return fetched

    def uploaded_since(self, user_id: str, since: datetime) -> Span | None:
        """From when to when there is data that was uploaded since."""
        connection = self._connection(user_id)
        return self._ask(connection, lambda client, token: client.data_range(token, since)).egvs

    def _connection(self, user_id: str) -> Connection:
        connection = self.connections.get(user_id)
        if connection is None:
            raise NotConnected(None)
        return connection

    def _still(self, connection: Connection) -> Connection:
        """The connection as it is when an answer has come; by then its login may be over."""
        # An erasure removes the connection and then waits for whoever is storing what was fetched before.
        now = self._connection(connection.user_id)
        if now.state is State.DISCONNECTED:
            raise NotConnected(now.state)
        if now.connected_at != connection.connected_at:
            raise LeaseLost
        return now

    def _ask(self, connection: Connection, ask: Callable[[Client, str], Answer]) -> Answer:
        client = self.client_for(connection)
        token = self.tokens.access_token(connection.user_id)
        try:
            return ask(client, token)
        except TokenRejected:
            return ask(client, self.tokens.access_token(connection.user_id, rejected=token))


# Two people's readings must not become one history, and a login that is over must not add to one.
_NOT_THEIRS = {AccountSeen.OTHER, AccountSeen.GONE}
