"""
The tokens of every connection: sealed at rest, refreshed by one process at a time, stored before use.

The provider accepts a refresh token once and answers with its successor, so a refresh that happens twice,
or whose answer is lost, ends the connection. One refresh, step by step, and what a crash after each leaves:

      read     data key     claim     provider answers     store     use
    --|--------|------------|---------|####################|---------|----> time
                            |<-------- refresh lease ----->|
      |        |            |         |                    |
      |        |            |         |                    +- nothing to repair: the new tokens are stored
      |        |            |         +- THE WINDOW: the old refresh token is spent and its successor is lost,
      |        |            |            here or on its way to us; the next refresh gets invalid_grant
      |        |            +- nothing is lost: the lease runs out, and the next caller refreshes
      +--------+- nothing has happened

The window cannot be closed, since the provider and our table share no transaction. It is kept as small as
one conditional write: the data key is fetched before the provider is asked, and the write is repeated when
it fails. A connection lost in it shows as `needs_reauth`: the person is asked to log in, nothing is lost.

Whoever finds the lease taken waits a little and re-reads; it never refreshes with a token somebody else is
spending. Only invalid_grant ends a connection, and only while the tokens it was said of are the stored ones.
"""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from bg_ingest.accounts import refresh_lease
from bg_ingest.accounts.connection import Connection, Connections, Endpoint, State
from bg_ingest.providers.dexcom.oauth import Tokens
from bg_ingest.providers.errors import ConsentRevoked, TryLater

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.accounts.sealing import Sealer

    Refresh = Callable[[str, Connection], Tokens]  # refresh token, whose


class NotConnected(Exception):
    """There are no tokens to use until the person connects; carries why."""

    def __init__(self, state: State | None) -> None:
        super().__init__(state or "never connected")
        self.state = state


class RefreshUnderWay(TryLater):
    """Another process is refreshing these tokens, and did not succeed while we waited."""


@dataclass(frozen=True, slots=True)
class VaultLimits:
    """How early tokens are refreshed, and how long anybody waits for that."""

    # A token handed out is good for a request that starts now, is paced and retried.
    margin: timedelta = timedelta(minutes=5)
    # Longer than a refresh can take: one call to the provider (Policy.time_s_max, tested) and storing its
    # answer. A lease that ran out under a live holder would let a second one spend the same refresh token.
    lease: timedelta = timedelta(seconds=60)
    # The pauses between two looks by those who wait, 4.7 s in all. A refresh takes well under a second;
    # when it takes longer than this the work is better off in the queue.
    waits_s: tuple[float, ...] = (0.1, 0.2, 0.4, 1.0, 1.0, 2.0)
    # When those who waited in vain should try again.
    retry_after_s: float = 15.0
    # The pauses between attempts to store what cannot be asked for again. botocore retries below this.
    save_pauses_s: tuple[float, ...] = (0.2, 1.0)


class Vault:
    """Gives out access tokens that work."""

    def __init__(
        self, connections: Connections, sealer: Sealer, refresh: Refresh, limits: VaultLimits | None = None
    ) -> None:
        self._connections = connections
        self._clock = connections.clock
        self._sealer = sealer
        self._refresh = refresh
        self._limits = limits or VaultLimits()

    def store(
        self,
        user_id: str,
        endpoint: Endpoint,
        tokens: Tokens,
        *,
        data_from: datetime,
        login_started_at: datetime | None = None,
    ) -> Connection:
        """Keep the tokens of a login: the person is connected from now on."""
        sealed = self._sealer.seal(user_id, _to_bytes(tokens))
        return self._connections.save_new(
            user_id, endpoint, sealed, data_from=data_from, login_started_at=login_started_at
        )

    def access_token(self, user_id: str, *, rejected: str | None = None) -> str:
        """
        A token for one person's data; `rejected` is one the provider just answered 401 to.

        Raises NotConnected when the person has to act, and TryLater when waiting can help.
        """
        seen: int | None = None
        for wait_s in (0.0, *self._limits.waits_s):
            if wait_s:
                self._clock.sleep(wait_s)
            connection, tokens = self._read(user_id)
            # Tokens that came while we waited are as good as any: if the provider's live shorter than the
            # margin, all who waited would otherwise refresh in turn.
            came = seen is not None and seen != connection.generation
            if self._lasts(tokens, came=came) and tokens.access_token != rejected:
                return tokens.access_token
            if seen == connection.generation and connection.refresh_until is None:
                # The one we waited for gave the lease back without new tokens. If all who
                # waited now tried in turn, a provider in trouble would be asked once by each.
                break
            fresh = self._refreshed(connection, tokens)
            if fresh:
                return fresh.access_token
            seen = connection.generation
        raise RefreshUnderWay("no new tokens yet", retry_after_s=self._limits.retry_after_s)

    def _read(self, user_id: str) -> tuple[Connection, Tokens]:
        connection = self._connections.get(user_id)
        if connection is None:
            raise NotConnected(None)
        if connection.state is not State.CONNECTED or connection.sealed_tokens is None:
            raise NotConnected(connection.state)
        return connection, _from_bytes(self._sealer.open(user_id, connection.sealed_tokens))

    def _lasts(self, tokens: Tokens, *, came: bool) -> bool:
        margin = timedelta(0) if came else self._limits.margin
        return self._clock.now() + margin < tokens.expires_at

    def _refreshed(self, connection: Connection, tokens: Tokens) -> Tokens | None:
        """New tokens, stored; None if somebody else is getting, or already has, newer ones."""
        table, user_id = self._connections.table, connection.user_id
        seal = self._sealer.ready()
        holder = uuid.uuid4().hex
        if not refresh_lease.claim(table, connection, holder, self._clock.now(), self._limits.lease):
            return None
        try:
            fresh = self._refresh(tokens.refresh_token, connection)
        except ConsentRevoked:
            if self._connections.mark_needs_reauth(user_id, connection.generation):
                raise NotConnected(State.NEEDS_REAUTH) from None
            return None
        except Exception:
            # Nothing was spent as far as we know. If even this write fails, the lease runs out.
            with suppress(BotoCoreError, ClientError):
                refresh_lease.release(table, user_id, holder)
            raise
        stored = self._save(connection, seal(user_id, _to_bytes(fresh)))
        return fresh if stored else None

    def _save(self, connection: Connection, sealed: bytes) -> bool:
        for pause_s in self._limits.save_pauses_s:
            try:
                return self._connections.save_refreshed(connection.user_id, connection.generation, sealed)
            except (BotoCoreError, ClientError):
                self._clock.sleep(pause_s)
        return self._connections.save_refreshed(connection.user_id, connection.generation, sealed)


def _to_bytes(tokens: Tokens) -> bytes:
    return json.dumps(
        [tokens.access_token, tokens.refresh_token, int(tokens.expires_at.timestamp())]
    ).encode()


def _from_bytes(secret: bytes) -> Tokens:
    access_token, refresh_token, expires_at_s = json.loads(secret)
    return Tokens(access_token, refresh_token, datetime.fromtimestamp(expires_at_s, UTC))
