"""
A user's connection to their provider account, and its item in the users table.

                   save_new (tokens)                 mark_needs_reauth(generation)
      (no item) ----------------------> CONNECTED ---------------------------------> NEEDS_REAUTH
                                         ^  ^  |                                      |  |
                                         |  |  |     save_new, save_refreshed         |  |
                                         |  +--|--------------------------------------+  |
                              save_new   |     | disconnect                              | disconnect
                                         |     v                                         |
                                        DISCONNECTED (no tokens) <-----------------------+

Every set of tokens has a *generation*, a number that only grows: connecting, reconnecting, refreshing and
disconnecting each make a new one. A write that follows from old tokens names their generation, and is refused
if the stored generation is another one. So a process that lost a race cannot end the connection, or replace
its tokens, after another process has moved it on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from bg_ingest.dynamo import Change
from bg_ingest.providers.pseudonym import pseudonym
from bg_ingest.providers.seam import Endpoint, ProviderAccount

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table


SK = "connection"

# Attribute names differ from the field names where DynamoDB reserves the word (`state`).
CURRENT = "generation = :generation"


class ConnectionState(StrEnum):
    """Whether the provider still accepts our tokens."""

    CONNECTED = "connected"
    NEEDS_REAUTH = "needs_reauth"  # The refresh token is dead; the user must log in again.
    DISCONNECTED = "disconnected"  # The user ended it here; the tokens are gone.


class AccountSeen(StrEnum):
    """How the provider account of a response relates to the one this connection belongs to."""

    FIRST = "first"
    SAME = "same"
    OTHER = "other"
    GONE = "gone"  # The login that this response belongs to has ended.


@dataclass(frozen=True, slots=True)
class Connection:
    """One user's connection; its repr shows neither the user nor a secret."""

    user_id: str = field(repr=False)
    endpoint: Endpoint
    state: ConnectionState
    connected_at: datetime  # The last login.
    data_from: datetime  # The start of the consent: nothing older is fetched.
    generation: int
    account: str | None = field(default=None, repr=False)  # A hash of the provider's account id.
    sealed_tokens: bytes | None = field(default=None, repr=False)
    refresh_until: int | None = None  # The end of the refresh lease, in seconds of the epoch.

    def refreshing(self, now: datetime) -> bool:
        """Whether a process holds the refresh lease."""
        return self.refresh_until is not None and now.timestamp() < self.refresh_until

    def account_at(self, time_left_s: Callable[[], float]) -> ProviderAccount:
        """The provider account for a call within this time; its key changes with each login."""
        # The time of the login is known here alone, so a guessed user id cannot be confirmed by hashing it.
        key = pseudonym("connection", f"{self.user_id}/{self.connected_at.isoformat()}")
        return ProviderAccount(self.endpoint, key, time_left_s)


@dataclass(frozen=True, slots=True)
class Connections:
    """The connection items."""

    table: Table
    clock: Clock
    cause: Callable[[], str | None] = lambda: None  # The current correlation id.

    def get(self, user_id: str) -> Connection | None:
        """The connection as it is now; None for a user who never had one."""
        item = self.table.get(user_id, SK)
        return from_item(item) if item else None

    def save_new(
        self,
        user_id: str,
        endpoint: Endpoint,
        sealed: bytes,
        *,
        data_from: datetime,
        login_started_at: datetime | None = None,
    ) -> Connection:
        """Connect or reconnect, and return the connection."""
        change = self.new_login(
            user_id, endpoint, sealed, data_from=data_from, login_started_at=login_started_at
        )
        assert change.expression  # noqa: S101 - it is an update.
        write = self.table.update(user_id, SK, change.expression, change.values or {})
        assert write.item is not None  # noqa: S101 - an accepted update answers with the item.
        return from_item(write.item)

    def new_login(
        self,
        user_id: str,
        endpoint: Endpoint,
        sealed: bytes,
        *,
        data_from: datetime,
        login_started_at: datetime | None = None,
    ) -> Change:
        """
        Return the write that connects or reconnects. A new login replaces any earlier state.

        The start of the login is stored for erasures; by default it is now.
        """
        # The account stays, so that the first response can show that it is another one. The refresh lease
        # goes: it was for the old tokens. Generations start at the time of day, not at 1, so that a write
        # for an erased connection never matches a later connection of the same user.
        now = self.clock.now()
        return Change(
            user_id,
            SK,
            "SET provider = :provider, environment = :environment, base_url = :base_url,"
            " connection_state = :connected, connected_at = :now, data_from = :data_from,"
            " login_started_at = :started, sealed_tokens = :sealed,"
            " generation = if_not_exists(generation, :first) + :one, caused_by = :cause"
            " REMOVE refresh_holder, refresh_until",
            {
                ":provider": endpoint.provider,
                ":environment": endpoint.environment,
                ":base_url": endpoint.base_url,
                ":connected": ConnectionState.CONNECTED,
                ":now": now.isoformat(),
                ":data_from": data_from.isoformat(),
                ":started": (login_started_at or now).isoformat(),
                ":sealed": sealed,
                ":first": int(now.timestamp()),
                ":one": 1,
                ":cause": self.cause(),
            },
        )

    def save_refreshed(self, user_id: str, generation: int, sealed: bytes) -> bool:
        """
        Replace the tokens of `generation` by the refreshed ones; False if they were replaced already.

        The condition names neither the lease nor the state. A refresh token works once, so its successor is
        the only live one: even if the lease expired meanwhile, and another process, rejected by the
        provider, has marked the connection as `needs_reauth`.
        """
        # botocore repeats a request whose response was lost. The repetition then finds its own tokens stored.
        write = self.table.update(
            user_id,
            SK,
            "SET sealed_tokens = :sealed, connection_state = :connected, generation = :next,"
            " caused_by = :cause"
            " REMOVE refresh_holder, refresh_until",
            {
                ":sealed": sealed,
                ":connected": ConnectionState.CONNECTED,
                ":generation": generation,
                ":next": generation + 1,
                ":cause": self.cause(),
            },
            CURRENT,
        )
        return write.accepted or (write.item is not None and write.item.get("sealed_tokens") == sealed)

    def mark_needs_reauth(self, user_id: str, generation: int) -> bool:
        """Record that the refresh token of `generation` is dead; False if the connection has moved on."""
        still_connected = "connection_state = :connected"
        write = self.table.update(
            user_id,
            SK,
            "SET connection_state = :needs_reauth, caused_by = :cause REMOVE refresh_holder, refresh_until",
            {
                ":needs_reauth": ConnectionState.NEEDS_REAUTH,
                ":connected": ConnectionState.CONNECTED,
                ":generation": generation,
                ":cause": self.cause(),
            },
            f"{CURRENT} AND {still_connected}",
        )
        return write.accepted

    def disconnect(self, user_id: str) -> bool:
        """Delete the tokens, also those of a refresh in progress; False if there is no connection."""
        return self.table.transact([self.disconnected(user_id)])

    def disconnected(self, user_id: str) -> Change:
        """Return the write that deletes the tokens, for a transaction with others."""
        return Change(
            user_id,
            SK,
            "SET connection_state = :disconnected, generation = generation + :one, caused_by = :cause"
            " REMOVE sealed_tokens, refresh_holder, refresh_until",
            {":disconnected": ConnectionState.DISCONNECTED, ":one": 1, ":cause": self.cause()},
            condition="attribute_exists(pk)",
        )

    def note_account(self, connection: Connection, account: str) -> AccountSeen:
        """
        Compare the account of a response with the connection's account; store the first one seen.

        Another account is reported and never stored: readings of two people must not become one history. To
        switch accounts, a user erases their data and connects again. Once the account is known, this reads
        and writes nothing.
        """
        if connection.account is not None:
            return AccountSeen.SAME if connection.account == account else AccountSeen.OTHER
        same_login = "connected_at = :connected_at"
        unknown = "attribute_not_exists(account)"
        write = self.table.update(
            connection.user_id,
            SK,
            "SET account = :account",
            {":account": account, ":connected_at": connection.connected_at.isoformat()},
            f"{same_login} AND {unknown}",
        )
        if write.accepted:
            return AccountSeen.FIRST
        known = write.item and write.item.get("account")
        if known is None:
            return AccountSeen.GONE
        return AccountSeen.SAME if known == account else AccountSeen.OTHER


def login_started_at(item: Item) -> datetime:
    """When the login of this connection was started."""
    started_at: str = item.get("login_started_at") or item["connected_at"]
    return datetime.fromisoformat(started_at)


def from_item(item: Item) -> Connection:
    """The connection that an item holds."""
    return Connection(
        user_id=item["pk"],
        endpoint=Endpoint(item["provider"], item["environment"], item["base_url"]),
        state=ConnectionState(item["connection_state"]),
        connected_at=datetime.fromisoformat(item["connected_at"]),
        data_from=datetime.fromisoformat(item["data_from"]),
        generation=item["generation"],
        account=item.get("account"),
        sealed_tokens=item.get("sealed_tokens"),
        refresh_until=item.get("refresh_until"),
    )
