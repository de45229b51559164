"""
The tokens of every connection: sealed at rest, refreshed by one process at a time, stored before use.

The provider accepts a refresh token once and answers with its successor. So a refresh that happens twice, or
whose response is lost, ends the connection. One refresh, step by step, and what a crash at each step leaves:

      read     data key         provider answers     store     use
    --|--------|---------------|####################|---------|----------------> time
    |<----------------------------- sync lease ------------------------------->|
      |        |               |<---- time for an answer and for storing ----->|
      |        |               |                    |
      |        |               |                    +- nothing to repair: the new tokens are stored
      |        |               +- THE WINDOW: the old refresh token is used up and its successor is
      |        |                  lost; the next refresh gets invalid_grant
      +--------+- nothing has happened: the lease expires, and the next sync refreshes

The caller holds the sync lease of the source (sync/state.py) and has read the connection under it. So no
other process refreshes these tokens, and none has used them since the read. A caller that was paused may have
lost the lease. So no refresh begins unless lease and process have time left for a whole answer and for
storing it (policy.py, rule 3). docs/decisions/syncing.md says why no second lease is needed.

The window cannot be closed, since the provider and our table share no transaction. It is as short as one
conditional write: the data key is fetched before the provider is called, and a failed write is repeated. A
connection that is lost in it shows as `needs_reauth`. The user has to log in again; no reading is lost.
The circuit breaker learns of the answer after the write.

If the write is refused, then a login, a disconnection or an erasure came first. The new tokens are dropped,
and the connection is read again instead of refreshed again. Only invalid_grant ends a connection, and only if
the rejected tokens are still stored.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from bg_ingest.accounts.connection import Connection, Connections, ConnectionState
from bg_ingest.providers.errors import ConsentRevoked
from bg_ingest.providers.seam import Endpoint, Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bg_ingest.accounts.sealing import Sealer
    from bg_ingest.dynamo import Change
    from bg_ingest.providers.seam import Provider, ProviderAccount


class NotConnected(Exception):
    """There are no tokens to use until the user connects; carries the connection's state."""

    def __init__(self, state: ConnectionState | None) -> None:
        super().__init__(state or "never connected")
        self.state = state


@dataclass(frozen=True, slots=True)
class VaultLimits:
    """How early tokens are refreshed, and how often their write is tried."""

    # A token stays valid for a call that starts now, waits for the rate limit, and is retried.
    margin: timedelta = timedelta(minutes=5)
    # The pauses between attempts to store refreshed tokens. Each attempt itself is tried three times.
    save_pauses_s: tuple[float, ...] = (0.2, 1.0)


class Vault:
    """Provides valid access tokens."""

    def __init__(
        self,
        connections: Connections,
        sealer: Sealer,
        providers: Mapping[str, Provider],
        limits: VaultLimits | None = None,
    ) -> None:
        self.connections = connections
        self._clock = connections.clock
        self._sealer = sealer
        self._providers = providers
        self._limits = limits or VaultLimits()

    def new_login(  # noqa: PLR0913 - each is an attribute of the item.
        self,
        user_id: str,
        endpoint: Endpoint,
        tokens: Tokens,
        *,
        data_from: datetime,
        login_started_at: datetime,
        account: str | None = None,
        replaced: Connection | None,
        source: str,
        relays: bool,
    ) -> Change:
        """
        Return the write that stores the tokens of a login, for a transaction with others.

        `replaced` is the connection of this source as it was read.
        """
        generation = self.connections.next_generation(replaced)
        sealed = self._sealer.seal(user_id, tokens_as_bytes(tokens), *_details(endpoint, generation))
        return self.connections.new_login(
            user_id,
            endpoint,
            sealed,
            replaced=replaced,
            source=source,
            relays=relays,
            data_from=data_from,
            login_started_at=login_started_at,
            account=account,
            # Not computed again: sealing takes time, and a first generation is the time of day.
            generation=generation,
        )

    def valid_token(self, connection: Connection, *, rejected: str | None = None) -> str | None:
        """
        The stored token for one user's data, if it is valid for long enough.

        `rejected` is one that the provider has just answered 401 to. Raises NotConnected when the user has to
        act.
        """
        tokens = self._tokens(connection)
        is_valid = self._clock.now() + self._limits.margin < tokens.expires_at
        return tokens.access_token if is_valid and tokens.access_token != rejected else None

    def refreshed_token(self, connection: Connection, account: ProviderAccount) -> str:
        """
        A new token for one user's data.

        The caller holds the source's sync lease and has read `connection` under it. Raises NotConnected when
        the user has to act, and TryLater when waiting can help.
        """
        tokens = self._tokens(connection)
        # If the connection has changed meanwhile, its tokens are used as they are. The provider rejects
        # them if they are not valid, and then the caller reads the connection again.
        fresh = self._refresh(connection, account, tokens) or self._tokens(self._read_again(connection))
        return fresh.access_token

    def _read_again(self, connection: Connection) -> Connection:
        found = self.connections.get(connection.user_id, connection.source)
        if found is None:
            raise NotConnected(None)
        return found

    def _tokens(self, connection: Connection) -> Tokens:
        if connection.state is not ConnectionState.CONNECTED or connection.sealed_tokens is None:
            raise NotConnected(connection.state)
        details = _details(connection.endpoint, connection.generation)
        return tokens_from_bytes(self._sealer.open(connection.user_id, connection.sealed_tokens, *details))

    def _refresh(self, connection: Connection, account: ProviderAccount, tokens: Tokens) -> Tokens | None:
        """New tokens, stored; None if the connection has changed since it was read."""
        login = self._providers[connection.endpoint.provider].login
        seal = self._sealer.ready()
        try:
            fresh = login.refresh(account, tokens.refresh_token)
        except ConsentRevoked:
            user_id, generation = connection.user_id, connection.generation
            if self.connections.mark_needs_reauth(user_id, generation, connection.source):
                raise NotConnected(ConnectionState.NEEDS_REAUTH) from None
            return None
        details = _details(connection.endpoint, connection.generation + 1)
        sealed = seal(connection.user_id, tokens_as_bytes(fresh), *details)
        return fresh if self._save(connection, sealed) else None

    def _save(self, connection: Connection, sealed: bytes) -> bool:
        key = connection.user_id, connection.generation, sealed, connection.source
        for pause_s in self._limits.save_pauses_s:
            try:
                return self.connections.save_refreshed(*key)
            except (BotoCoreError, ClientError):
                self._clock.sleep(pause_s)
        return self.connections.save_refreshed(*key)


def _details(endpoint: Endpoint, generation: int) -> tuple[str, ...]:
    """What tokens are bound to, beside their user: nothing in the item can send them to another host."""
    return endpoint.provider, endpoint.environment, str(generation)


def tokens_as_bytes(tokens: Tokens) -> bytes:
    """Return tokens as they are sealed."""
    return json.dumps(
        [tokens.access_token, tokens.refresh_token, int(tokens.expires_at.timestamp())]
    ).encode()


def tokens_from_bytes(secret: bytes) -> Tokens:
    """Return tokens that were sealed."""
    access_token, refresh_token, expires_at_s = json.loads(secret)
    return Tokens(access_token, refresh_token, datetime.fromtimestamp(expires_at_s, UTC))
