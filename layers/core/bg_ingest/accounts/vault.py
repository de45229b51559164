"""
The tokens of every connection: sealed at rest, refreshed by one process at a time, stored before use.

The provider accepts a refresh token once and answers with its successor. So a refresh that happens twice, or
whose response is lost, ends the connection. One refresh, step by step, and what a crash at each step leaves:

      read     data key     claim     provider answers     store     use
    --|--------|------------|---------|####################|---------|----> time
                            |<-------- refresh lease ----->|
      |        |            |         |                    |
      |        |            |         |                    +- nothing to repair: the new tokens are stored
      |        |            |         +- THE WINDOW: the old refresh token is used up and its successor is
      |        |            |            lost; the next refresh gets invalid_grant
      |        |            +- nothing is lost: the lease expires, and the next caller refreshes
      +--------+- nothing has happened

The window cannot be closed, since the provider and our table share no transaction. It is as short as one
conditional write: the data key is fetched before the provider is called, and a failed write is repeated. A
connection that is lost in it shows as `needs_reauth`. The user has to log in again; no reading is lost.
The circuit breaker learns of the answer after the write, and no refresh begins at the end of the caller's
time (policy.py, rule 3).

A caller that finds the lease taken waits a little and re-reads; it never refreshes with a token that another
process is using. Only invalid_grant ends a connection, and only if the rejected tokens are still stored.
"""

from __future__ import annotations

import json
import math
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from bg_ingest.accounts.connection import (
    CURRENT,
    SK,
    Connection,
    Connections,
    ConnectionState,
    source_key,
)
from bg_ingest.providers.errors import ConsentRevoked, TryLater
from bg_ingest.providers.seam import Endpoint, Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bg_ingest.accounts.sealing import Sealer
    from bg_ingest.dynamo import Change, Table
    from bg_ingest.providers.seam import Provider, ProviderAccount


class NotConnected(Exception):
    """There are no tokens to use until the user connects; carries the connection's state."""

    def __init__(self, state: ConnectionState | None) -> None:
        super().__init__(state or "never connected")
        self.state = state


class RefreshUnderWay(TryLater):
    """Another process is refreshing these tokens, and has not finished while we waited."""


@dataclass(frozen=True, slots=True)
class VaultLimits:
    """How early tokens are refreshed, and how long a caller waits for that."""

    # A token stays valid for a call that starts now, waits for the rate limit, and is retried.
    margin: timedelta = timedelta(minutes=5)
    # Longer than the claim, one call to the provider (Policy.time_s_max) and storing the response can take,
    # each at its slowest (tested). If the lease expired under a live holder, a second one would use
    # the same refresh token.
    lease: timedelta = timedelta(seconds=180)
    # The pauses between two reads of a waiting caller, 4.7 s in all. A refresh takes well under a second. If
    # it takes longer than this, the caller's order is requeued.
    waits_s: tuple[float, ...] = (0.1, 0.2, 0.4, 1.0, 1.0, 2.0)
    # When a caller should retry after a wait without success.
    retry_after_s: float = 15.0
    # The pauses between attempts to store refreshed tokens. botocore retries within each attempt.
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

    def access_token(
        self, connection: Connection, account: ProviderAccount, *, rejected: str | None = None
    ) -> str:
        """
        A valid token for one user's data; `rejected` is one that the provider has just answered 401 to.

        `connection` is what the caller has read. If it is out of date, the claim of the refresh lease fails
        and this re-reads it. Raises NotConnected when the user has to act, and
        TryLater when waiting can help.
        """
        seen: int | None = None
        for wait_s in (0.0, *self._limits.waits_s):
            if wait_s:
                self._clock.sleep(wait_s)
                connection = self._read_again(connection)
            tokens = self._tokens(connection)
            # Tokens that another process has stored while we waited are always good enough. Otherwise, if
            # the provider's tokens live shorter than the margin, all waiting callers would refresh in turn.
            came = seen is not None and seen != connection.generation
            if self._lasts(tokens, came=came) and tokens.access_token != rejected:
                return tokens.access_token
            if seen == connection.generation and connection.refresh_until is None:
                # The holder released the lease without new tokens. If all waiting callers now tried in
                # turn, each of them would call a failing provider.
                break
            fresh = self._refresh(connection, account, tokens)
            if fresh:
                return fresh.access_token
            seen = connection.generation
        raise RefreshUnderWay("no new tokens yet", retry_after_s=self._limits.retry_after_s)

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

    def _lasts(self, tokens: Tokens, *, came: bool) -> bool:
        margin = timedelta(0) if came else self._limits.margin
        return self._clock.now() + margin < tokens.expires_at

    def _refresh(self, connection: Connection, account: ProviderAccount, tokens: Tokens) -> Tokens | None:
        """New tokens, stored; None if another process is fetching, or has stored, newer ones."""
        table, user_id = self.connections.table, connection.user_id
        login = self._providers[connection.endpoint.provider].login
        seal = self._sealer.ready()
        holder = uuid.uuid4().hex
        if not claim_refresh(table, connection, holder, self._clock.now(), self._limits.lease):
            return None
        try:
            fresh = login.refresh(account, tokens.refresh_token)
        except ConsentRevoked:
            if self.connections.mark_needs_reauth(user_id, connection.generation, connection.source):
                raise NotConnected(ConnectionState.NEEDS_REAUTH) from None
            return None
        except Exception:
            # As far as we know the refresh token is unused. If this write fails too, the lease expires.
            with suppress(BotoCoreError, ClientError):
                release_refresh(table, connection, holder)
            raise
        details = _details(connection.endpoint, connection.generation + 1)
        stored = self._save(connection, seal(user_id, tokens_as_bytes(fresh), *details))
        return fresh if stored else None

    def _save(self, connection: Connection, sealed: bytes) -> bool:
        key = connection.user_id, connection.generation, sealed, connection.source
        for pause_s in self._limits.save_pauses_s:
            try:
                return self.connections.save_refreshed(*key)
            except (BotoCoreError, ClientError):
                self._clock.sleep(pause_s)
        return self.connections.save_refreshed(*key)


def claim_refresh(table: Table, connection: Connection, holder: str, now: datetime, ttl: timedelta) -> bool:
    """Take the refresh lease of these tokens; False if it is held, or the tokens have been replaced."""
    # |  HELD: others wait, then re-read      |  holder died: any process may take it  |
    # |---------------------------------------|----------------------------------------|--> time
    # now                               refresh_until
    never_held = "attribute_not_exists(refresh_until)"
    expired = "refresh_until <= :now"
    # Without CURRENT, a process that was paused between its read and its claim would use a refresh token that
    # another process has used meanwhile.
    connected = "connection_state = :connected"
    # There is no "OR refresh_holder = :holder": a holder is one attempt, and an attempt claims once.
    write = table.update(
        connection.user_id,
        source_key(SK, connection.source),
        "SET refresh_holder = :holder, refresh_until = :until",
        {
            ":holder": holder,
            ":until": math.ceil((now + ttl).timestamp()),
            ":now": int(now.timestamp()),
            ":generation": connection.generation,
            ":connected": ConnectionState.CONNECTED,
        },
        f"{CURRENT} AND {connected} AND ({never_held} OR {expired})",
    )
    return write.accepted


def release_refresh(table: Table, connection: Connection, holder: str) -> None:
    """Release an unused refresh lease; one that was lost meanwhile stays with its new holder."""
    table.update(
        connection.user_id,
        source_key(SK, connection.source),
        "REMOVE refresh_holder, refresh_until",
        {":holder": holder},
        "refresh_holder = :holder",
    )


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
