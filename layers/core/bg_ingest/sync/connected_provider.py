"""One user's provider: called with their token, in their region, and checked to be the account we know."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from bg_ingest.accounts.connection import AccountSeen, ConnectionState
from bg_ingest.accounts.vault import NotConnected
from bg_ingest.providers.errors import TokenRejected
from bg_ingest.sync.run import LeaseLost, LeaseNeeded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from bg_ingest.accounts.connection import Connection, Connections
    from bg_ingest.providers.seam import Fetched, Provider, ProviderAccount, Span
    from bg_ingest.sync.state import Turn

Response = TypeVar("Response")

# A response that comes sooner after the connection was read is stored without a second read. An erasure waits
# longer than this for a running sync before it removes the readings; a test compares the two.
UNCHECKED_S_MAX = 5.0


class AccountChanged(Exception):
    """The response is about another provider account than this user's readings so far."""


class AccessTokens(Protocol):
    """The part of the vault that a sync uses."""

    def valid_token(self, connection: Connection, *, rejected: str | None = None) -> str | None:
        """The stored token, if it is valid and not the rejected one."""
        ...

    def refreshed_token(self, connection: Connection, account: ProviderAccount) -> str:
        """A new token; the caller holds the sync lease."""
        ...


@dataclass(frozen=True, slots=True)
class ConnectedProvider:
    """The provider that the connection of a user's source names; a rejected token is refreshed once."""

    connections: Connections
    tokens: AccessTokens
    providers: Mapping[str, Provider]
    turn: Turn
    time_left_s: Callable[[], float]

    def readings(self, user_id: str, start: datetime, end: datetime) -> Fetched:
        """All readings measured in `[start, end)`; AccountChanged if they are of another account."""
        read_at_s = self.connections.clock.monotonic_s()
        connection = self._connection(user_id, self.turn.connection)
        fetched = self._call(
            connection, lambda provider, account, token: provider.readings(account, token, start, end)
        )
        if self.connections.clock.monotonic_s() - read_at_s >= UNCHECKED_S_MAX:
            connection = self._unchanged(connection)
        account_id = fetched.account_id_hash
        if account_id and self.connections.note_account(connection, account_id) in _NOT_THEIRS:
            # From now on the connection says so: nothing more is stored until the user logs in as themselves.
            self.connections.mark_needs_reauth(user_id, connection.generation, connection.source)
            raise AccountChanged
        return replace(fetched, provider=connection.endpoint.provider)

    def uploaded_since(self, user_id: str, since: datetime) -> Span | None:
        """The span of readings uploaded since then; None without any, or if the provider does not say."""
        connection = self._connection(user_id)
        if not self.providers[connection.endpoint.provider].capabilities.upload_times:
            return None
        return self._call(
            connection, lambda provider, account, token: provider.uploaded_since(account, token, since)
        )

    def _connection(self, user_id: str, known: Connection | None = None) -> Connection:
        connection = known or self.connections.get(user_id, self.turn.state.source)
        if connection is None:
            raise NotConnected(None)
        if self.turn.is_ended_by(connection.connected_at):
            raise LeaseLost  # Another sync may use the tokens of that login.
        return connection

    def _unchanged(self, connection: Connection) -> Connection:
        """The connection after a slow response has arrived; raises if its login has ended meanwhile."""
        now = self._connection(connection.user_id)
        if now.state is ConnectionState.DISCONNECTED:
            raise NotConnected(now.state)
        if now.connected_at != connection.connected_at:
            raise LeaseLost
        return now

    def _call(
        self, connection: Connection, call: Callable[[Provider, ProviderAccount, str], Response]
    ) -> Response:
        provider = self.providers[connection.endpoint.provider]
        account = connection.account_at(self.time_left_s)
        token = self._token(connection, account)
        try:
            return call(provider, account, token)
        except TokenRejected:
            # The first token may have been a new one, so that this connection is out of date.
            connection = self._connection(connection.user_id)
            return call(provider, account, self._token(connection, account, rejected=token))

    def _token(self, connection: Connection, account: ProviderAccount, rejected: str | None = None) -> str:
        token = self.tokens.valid_token(connection, rejected=rejected)
        if token is None and self.turn.lease_until is None:
            raise LeaseNeeded  # Its holder is the only process that refreshes the tokens of this source.
        return token or self.tokens.refreshed_token(connection, account)


# Readings of two people must not become one history, and an ended login must not add to one.
_NOT_THEIRS = {AccountSeen.OTHER, AccountSeen.GONE}
