"""A user's sources: which one is the main one, and which has the newest data. Pure, but for the reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.accounts.source_keys import FIRST_SOURCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bg_ingest.accounts.connection import Connection, Connections
    from bg_ingest.sync.state import SyncState, SyncStates

BEST_FIRST = (ConnectionState.CONNECTED, ConnectionState.NEEDS_REAUTH, ConnectionState.DISCONNECTED)


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
        key=lambda each: (BEST_FIRST.index(each.state), each.relays, each.name),
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
