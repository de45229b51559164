"""
A person's connection to their provider account, and the item that remembers it.

                   save_new (tokens)                 mark_needs_reauth(generation)
      (no item) ----------------------> CONNECTED ---------------------------------> NEEDS_REAUTH
                                         ^  ^  |                                      |  |
                                         |  |  |     save_new, save_refreshed         |  |
                                         |  +--|--------------------------------------+  |
                              save_new   |     | disconnect                              | disconnect
                                         |     v                                         |
                                        DISCONNECTED (no tokens) <-----------------------+

Every set of tokens has a *generation*, a number that only grows: connecting, reconnecting, refreshing and
disconnecting each make a new one. A write that follows from old tokens names their generation and is
refused if they are no longer the ones that count. That is what keeps a late loser from ending, or
replacing the tokens of, a connection that moved on without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from bg_ingest.providers.pseudonym import pseudonym

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table


SK = "connection"

# Attribute names differ from the field names where DynamoDB reserves the word (`state`).
CURRENT = "generation = :generation"


class State(StrEnum):
    """Whether the provider still lets us in."""

    CONNECTED = "connected"
    NEEDS_REAUTH = "needs_reauth"  # The provider refused our tokens for good; the person must log in again.
    DISCONNECTED = "disconnected"  # The person ended it here; the tokens are gone.


class AccountSeen(StrEnum):
    """How the provider account of an answer relates to the one this connection belongs to."""

    FIRST = "first"
    SAME = "same"
    OTHER = "other"
    GONE = "gone"  # Nothing to compare with: the login this answer belongs to is over.


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a connection leads: credentials, tokens and data of one region are worth nothing in another."""

    provider: str  # "dexcom"
    environment: str  # sandbox, us, eu, jp or custom
    base_url: str


@dataclass(frozen=True, slots=True)
class Connection:
    """What is known about one person's connection; its repr names neither the person nor a secret."""

    user_id: str = field(repr=False)
    endpoint: Endpoint
    state: State
    connected_at: datetime  # The last login at the provider.
    data_from: datetime  # The start of the consent: nothing older is fetched.
    generation: int
    account: str | None = field(default=None, repr=False)  # A hash: the provider's id never gets here.
    sealed_tokens: bytes | None = field(default=None, repr=False)
    refresh_until: int | None = None  # Somebody is refreshing the tokens until then, in seconds of the epoch.

    def refreshing(self, now: datetime) -> bool:
        """Whether somebody holds the refresh lease."""
        return self.refresh_until is not None and now.timestamp() < self.refresh_until


@dataclass(frozen=True, slots=True)
class Connections:
    """The connections in the users table."""

    table: Table
    clock: Clock
    cause: Callable[[], str | None] = lambda: None  # The correlation id of whatever is being done now.

    def get(self, user_id: str) -> Connection | None:
        """The connection as it is now; None if this person never had one."""
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
        """
        Connect or reconnect; a login at the provider beats whatever was there: there is no condition.

        When the login was started is kept for erasing; a login that took no time started now.
        """
        # The account stays: only so can the first answer show that it is another one. The lease goes: it
        # was for tokens that no longer count. Generations start at the time of day, not at 1, so that a
        # person who was erased and came back never meets a write meant for their first life.
        now = self.clock.now()
        write = self.table.update(
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
                ":connected": State.CONNECTED,
                ":now": now.isoformat(),
                ":data_from": data_from.isoformat(),
                ":started": (login_started_at or now).isoformat(),
                ":sealed": sealed,
                ":first": int(now.timestamp()),
                ":one": 1,
                ":cause": self.cause(),
            },
        )
        assert write.item is not None  # noqa: S101 - an accepted update answers with the item.
        return from_item(write.item)

    def save_refreshed(self, user_id: str, generation: int, sealed: bytes) -> bool:
        """
        Replace the tokens of `generation` by those the provider gave for them; False if they were replaced.

        It asks neither for the lease nor for the state: the provider accepts a refresh token once, so
        whoever holds its successor holds the only living tokens, even if the lease ran out meanwhile
        and somebody else, refused by the provider, already gave the connection up.
        """
        # A request that is repeated because its answer got lost finds its own work in the way.
        write = self.table.update(
            user_id,
            SK,
            "SET sealed_tokens = :sealed, connection_state = :connected, generation = :next,"
            " caused_by = :cause"
            " REMOVE refresh_holder, refresh_until",
            {
                ":sealed": sealed,
                ":connected": State.CONNECTED,
                ":generation": generation,
                ":next": generation + 1,
                ":cause": self.cause(),
            },
            CURRENT,
        )
        return write.accepted or (write.item is not None and write.item.get("sealed_tokens") == sealed)

    def mark_needs_reauth(self, user_id: str, generation: int) -> bool:
        """Give up because the provider refused the tokens of `generation`; False if that is not news."""
        still_connected = "connection_state = :connected"
        write = self.table.update(
            user_id,
            SK,
            "SET connection_state = :needs_reauth, caused_by = :cause REMOVE refresh_holder, refresh_until",
            {
                ":needs_reauth": State.NEEDS_REAUTH,
                ":connected": State.CONNECTED,
                ":generation": generation,
                ":cause": self.cause(),
            },
            f"{CURRENT} AND {still_connected}",
        )
        return write.accepted

    def disconnect(self, user_id: str) -> bool:
        """Forget the tokens, and those of any refresh under way; False if there is no connection."""
        write = self.table.update(
            user_id,
            SK,
            "SET connection_state = :disconnected, generation = generation + :one, caused_by = :cause"
            " REMOVE sealed_tokens, refresh_holder, refresh_until",
            {":disconnected": State.DISCONNECTED, ":one": 1, ":cause": self.cause()},
            "attribute_exists(pk)",
        )
        return write.accepted

    def note_account(self, connection: Connection, account: str) -> AccountSeen:
        """
        Compare the account an answer came from with the one this connection belongs to; remember the first.

        Another account is reported and never taken over: two people's readings must not become one
        history. The way to another account is erasing the person's data and connecting again. Nothing is
        written, and nothing read, once the account is known.
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
    """When the login was started that this connection comes from."""
    started_at: str = item.get("login_started_at") or item["connected_at"]
    return datetime.fromisoformat(started_at)


def from_item(item: Item) -> Connection:
    """The connection an item holds."""
    return Connection(
        user_id=item["pk"],
        endpoint=Endpoint(item["provider"], item["environment"], item["base_url"]),
        state=State(item["connection_state"]),
        connected_at=datetime.fromisoformat(item["connected_at"]),
        data_from=datetime.fromisoformat(item["data_from"]),
        generation=item["generation"],
        account=item.get("account"),
        sealed_tokens=item.get("sealed_tokens"),
        refresh_until=item.get("refresh_until"),
    )


# The name under which the breaker, which everybody shares, knows somebody's connection.
def account_key(connection: Connection) -> str | None:
    """The same until the person logs in again; once the connection is erased nothing leads back to it."""
    # A user id can be guessed, and the guess be hashed; when its login was, the connection alone knows.
    return pseudonym("connection", f"{connection.user_id}/{connection.connected_at.isoformat()}")
