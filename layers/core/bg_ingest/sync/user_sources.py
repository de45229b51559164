"""
A user's sources: which one is the main one, and which has the newest data.

For lists and counts, the sources of many users are read by their keys and with a few attributes. There a user
counts once, with the best state of their sources: a user with one valid connection is connected.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bg_ingest.accounts import connection
from bg_ingest.accounts.connection import FIRST_SOURCE, ConnectionState, source_key
from bg_ingest.clock import from_iso
from bg_ingest.sync import state

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from bg_ingest.accounts.connection import Connection, Connections
    from bg_ingest.dynamo import Item, Table
    from bg_ingest.sync.state import SyncState, SyncStates


_BEST_FIRST = (ConnectionState.CONNECTED, ConnectionState.NEEDS_REAUTH, ConnectionState.DISCONNECTED)
# The roles of the functions that list users allow no other attribute.
LISTED_ATTRIBUTES = ("pk", "sk", "connection_state", "provider", "relays", "data_until")


@dataclass(frozen=True, slots=True)
class UserSource:
    """One source of a user, with its connection and the state of its syncs."""

    name: str
    connection: Connection | None = field(repr=False)
    sync_state: SyncState | None = field(repr=False)

    @property
    def provider(self) -> str | None:
        """The name of its provider."""
        return self.connection.endpoint.provider if self.connection else None

    @property
    def state(self) -> ConnectionState:
        """The state of its connection; a source without one looks as if it had never been connected."""
        return self.connection.state if self.connection else ConnectionState.DISCONNECTED

    @property
    def relays(self) -> bool:
        """Whether it passes on what another provider measured."""
        return self.connection is not None and self.connection.relays

    @property
    def is_connected(self) -> bool:
        """Whether it can be synced."""
        return self.state is ConnectionState.CONNECTED


NO_SOURCE = UserSource(FIRST_SOURCE, None, None)


def sources_of(connections: Connections, states: SyncStates, user_id: str) -> list[UserSource]:
    """All sources that a user has or had, the first one first."""
    connected = {each.source: each for each in connections.of_user(user_id)}
    synced = {each.source: each for each in states.of_user(user_id)}
    return [UserSource(name, connected.get(name), synced.get(name)) for name in sorted({*connected, *synced})]


def main_source(sources: Sequence[UserSource]) -> UserSource:
    """The user's own provider if it is connected, otherwise the source that is."""
    return min(
        sources,
        key=lambda each: (_BEST_FIRST.index(each.state), each.relays, each.name),
        default=NO_SOURCE,
    )


def own_provider(sources: Sequence[UserSource]) -> str | None:
    """The provider of the user's sensor, connected or not; None for a user who never connected."""
    connected = [each for each in sources if each.connection]
    return min(connected, key=lambda each: (each.relays, each.name), default=NO_SOURCE).provider


def freshest_source(sources: Sequence[UserSource]) -> UserSource:
    """The connected source with the newest reading; of none with readings, the main one."""
    with_data = [
        (each.sync_state.data_until, each)
        for each in sources
        if each.is_connected and each.sync_state and each.sync_state.data_until
    ]
    if not with_data:
        return main_source(sources)
    newest = max(until for until, _ in with_data)
    return main_source([each for until, each in with_data if until == newest])


@dataclass(frozen=True, slots=True)
class ListedSource:
    """One source of a listed user."""

    name: str
    provider: str
    state: ConnectionState
    relays: bool
    data_until: datetime | None = field(repr=False)
    last_error: Item | None


def sources_of_users(
    table: Table, user_ids: Sequence[str], providers: Collection[str], attributes: Sequence[str]
) -> dict[str, list[ListedSource]]:
    """The sources of each of these users, the main source first. Users without a source are omitted."""
    firsts = table.get_all([(user_id, connection.SK) for user_id in user_ids], attributes)
    # A further source has the name of its provider, which is not that of the first one.
    names = {
        first["pk"]: [FIRST_SOURCE, *(name for name in providers if name != first["provider"])]
        for first in firsts
    }
    keys = [
        (user_id, source_key(kind, name))
        for user_id, of_user in names.items()
        for name in of_user
        for kind in (connection.SK, state.SK)
        if (kind, name) != (connection.SK, FIRST_SOURCE)
    ]
    items = {(item["pk"], item["sk"]): item for item in (*firsts, *table.get_all(keys, attributes))}
    found: defaultdict[str, list[ListedSource]] = defaultdict(list)
    for user_id, of_user in names.items():
        for name in of_user:
            connected = items.get((user_id, source_key(connection.SK, name)))
            if connected:
                sync = items.get((user_id, source_key(state.SK, name)), {})
                found[user_id].append(_listed(name, connected, sync))
    return {user_id: sorted(sources, key=_main_first) for user_id, sources in found.items()}


def newest_data(sources: Sequence[ListedSource]) -> datetime | None:
    """The time of the newest reading of any of these sources."""
    return max((each.data_until for each in sources if each.data_until), default=None)


def _listed(name: str, connected: Item, sync: Item) -> ListedSource:
    return ListedSource(
        name=name,
        provider=connected["provider"],
        state=ConnectionState(connected["connection_state"]),
        relays=connected.get("relays", False),
        data_until=from_iso(sync.get("data_until")),
        last_error=sync.get("last_error"),
    )


def _main_first(source: ListedSource) -> tuple[int, bool, str]:
    return _BEST_FIRST.index(source.state), source.relays, source.name
