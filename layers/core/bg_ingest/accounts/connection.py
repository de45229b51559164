"""
A user's connection to an account at a provider, and its item in the users table.

A user may have several sources of readings, such as a provider and a relay, each with a connection of its
own. The items of the first one have the plain keys `connection` and `sync`. The keys of each further one are
`connection#<provider>` and `sync#<provider>`. The name of a source is what follows the `#`.

                   new_login (tokens)                mark_needs_reauth(generation)
      (no item) ----------------------> CONNECTED ---------------------------------> NEEDS_REAUTH
                                         ^  ^  |                                      |  |
                                         |  |  |     new_login, save_refreshed        |  |
                                         |  +--|--------------------------------------+  |
                              new_login  |     | disconnect                              | disconnect
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
from bg_ingest.providers.seam import Endpoint, ProviderAccount, pseudonym

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table


SK = "connection"
# The value of `seat` on the item of each first source: through the index of that name it lists all users.
LISTED = "user"
# The name of a user's first source, regardless of its provider.
FIRST_SOURCE = ""
OF_ALL_SOURCES = "pk = :pk AND sk BETWEEN :first AND :last"

# Attribute names differ from the field names where DynamoDB reserves the word (`state`).
CURRENT = "generation = :generation"
_SAME_ACCOUNT = "attribute_not_exists(account) OR account = :account"


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
    source: str = FIRST_SOURCE
    relays: bool = False  # Its provider passes on measurements of others: of its capabilities at the login.

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

    def get(self, user_id: str, source: str = FIRST_SOURCE) -> Connection | None:
        """The connection of a source as it is now; None if the user never had it."""
        item = self.table.get(user_id, source_key(SK, source))
        return from_item(item) if item else None

    def of_user(self, user_id: str) -> list[Connection]:
        """The connections of all sources that the user has or had, that of the first source first."""
        items = self.table.query(OF_ALL_SOURCES, all_sources(user_id, SK), consistent=True)
        return [from_item(item) for item in items]

    def to(self, user_id: str, provider: str) -> tuple[str, Connection | None]:
        """The name of the user's source at this provider, and its connection if there is or was one."""
        known = self.of_user(user_id)
        same = next((each for each in known if each.endpoint.provider == provider), None)
        if same:
            return same.source, same
        return (provider if known else FIRST_SOURCE), None

    def next_generation(self, replaced: Connection | None) -> int:
        """The generation of the tokens of a login that replaces this connection."""
        # Generations start at the time of day, not at 1, so that a write for an erased connection never
        # matches a later connection of the same user.
        before = replaced.generation if replaced else int(self.clock.now().timestamp())
        return before + 1

    def new_login(  # noqa: PLR0913 - each is an attribute of the item.
        self,
        user_id: str,
        endpoint: Endpoint,
        sealed: bytes,
        *,
        replaced: Connection | None,
        data_from: datetime,
        login_started_at: datetime | None = None,
        account: str | None = None,
        generation: int | None = None,
        source: str = FIRST_SOURCE,
        relays: bool = False,
    ) -> Change:
        """
        Return the write that connects or reconnects. A new login replaces any earlier state.

        `sealed` are tokens of this generation, by default the next one after `replaced`, which is the
        connection as it was read.
        The write is refused if there is another one by now. The start of the login is stored for erasures; by
        default it is now. If the provider's account is known, then the write is refused if the stored
        readings are of another one.
        """
        # The account stays, so that the first response can show that it is another one.
        now = self.clock.now()
        condition = "generation = :seen" if replaced else "attribute_not_exists(generation)"
        values: Item = {":seen": replaced.generation} if replaced else {}
        if account:
            condition += f" AND ({_SAME_ACCOUNT})"
            values |= {":account": account}
        return Change(
            user_id,
            source_key(SK, source),
            "SET provider = :provider, environment = :environment,"
            " connection_state = :connected, connected_at = :now, data_from = :data_from,"
            f" login_started_at = :started, sealed_tokens = :sealed,{_listed(source)}"
            f"{' relays = :relays,' if relays else ''}"
            " generation = :next, caused_by = :cause"
            f"{', account = :account' if account else ''}",
            {
                ":provider": endpoint.provider,
                ":environment": endpoint.environment,
                ":connected": ConnectionState.CONNECTED,
                ":now": now.isoformat(),
                ":data_from": data_from.isoformat(),
                ":started": (login_started_at or now).isoformat(),
                ":sealed": sealed,
                **_listed_values(source),
                **({":relays": True} if relays else {}),
                ":next": generation or self.next_generation(replaced),
                ":cause": self.cause(),
                **values,
            },
            condition=condition,
        )

    def save_refreshed(
        self, user_id: str, generation: int, sealed: bytes, source: str = FIRST_SOURCE
    ) -> bool:
        """
        Replace the tokens of `generation` by the refreshed ones; False if they were replaced already.

        The condition does not name the state. A refresh token works once, so its successor is the only valid
        one. This holds even if the caller's sync lease has expired and another process, rejected by the
        provider, has marked the connection as `needs_reauth`.
        """
        # The client repeats a request whose response was lost. The repetition finds its own tokens stored.
        # Connections of the first releases have no `seat`. For all others its value stays.
        write = self.table.update(
            user_id,
            source_key(SK, source),
            "SET sealed_tokens = :sealed, connection_state = :connected, generation = :next,"
            f"{_listed(source)} caused_by = :cause",
            {
                ":sealed": sealed,
                ":connected": ConnectionState.CONNECTED,
                ":generation": generation,
                ":next": generation + 1,
                **_listed_values(source),
                ":cause": self.cause(),
            },
            CURRENT,
        )
        return write.accepted or (write.item is not None and write.item.get("sealed_tokens") == sealed)

    def mark_needs_reauth(self, user_id: str, generation: int, source: str = FIRST_SOURCE) -> bool:
        """Record that the refresh token of `generation` is dead; False if the connection has moved on."""
        still_connected = "connection_state = :connected"
        write = self.table.update(
            user_id,
            source_key(SK, source),
            "SET connection_state = :needs_reauth, caused_by = :cause",
            {
                ":needs_reauth": ConnectionState.NEEDS_REAUTH,
                ":connected": ConnectionState.CONNECTED,
                ":generation": generation,
                ":cause": self.cause(),
            },
            f"{CURRENT} AND {still_connected}",
        )
        return write.accepted

    def disconnect(self, user_id: str, source: str = FIRST_SOURCE) -> bool:
        """Delete the tokens, also those of a refresh in progress; False if there is no connection."""
        return self.table.transact([self.disconnected(user_id, source)])

    def disconnected(self, user_id: str, source: str = FIRST_SOURCE) -> Change:
        """Return the write that deletes the tokens, for a transaction with others."""
        return Change(
            user_id,
            source_key(SK, source),
            "SET connection_state = :disconnected, generation = generation + :one, caused_by = :cause"
            " REMOVE sealed_tokens",
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
            source_key(SK, connection.source),
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


def source_key(kind: str, source: str) -> str:
    """The sort key of a source's item of this kind."""
    return f"{kind}#{source}" if source else kind


def all_sources(user_id: str, kind: str) -> Item:
    """The values of OF_ALL_SOURCES: a user's items of this kind, that of the first source first."""
    return {":pk": user_id, ":first": kind, ":last": f"{kind}#~"}


def source_of(item: Item) -> str:
    """The source that an item is about."""
    source: str = item["sk"].partition("#")[2]
    return source


def _listed(source: str) -> str:
    """A user is listed once, by the first source."""
    return "" if source else " seat = :listed,"


def _listed_values(source: str) -> Item:
    return {} if source else {":listed": LISTED}


def login_started_at(item: Item) -> datetime:
    """When the login of this connection was started."""
    started_at: str = item.get("login_started_at") or item["connected_at"]
    return datetime.fromisoformat(started_at)


def from_item(item: Item) -> Connection:
    """The connection that an item holds."""
    return Connection(
        user_id=item["pk"],
        endpoint=Endpoint(item["provider"], item["environment"]),
        state=ConnectionState(item["connection_state"]),
        connected_at=datetime.fromisoformat(item["connected_at"]),
        data_from=datetime.fromisoformat(item["data_from"]),
        generation=item["generation"],
        account=item.get("account"),
        sealed_tokens=item.get("sealed_tokens"),
        source=source_of(item),
        relays=item.get("relays", False),
    )
