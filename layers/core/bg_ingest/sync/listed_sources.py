"""
The sources of many users, read by their keys and with a few attributes: for lists and counts.

A user counts once, with the best state of their sources: a user with one valid connection is connected.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bg_ingest.accounts import connection
from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.accounts.source_keys import FIRST_SOURCE, source_key
from bg_ingest.sync import state
from bg_ingest.sync.user_sources import BEST_FIRST
from bg_ingest.utc import from_iso

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from bg_ingest.dynamo import Item, Table

# The roles of the functions that list users allow no other attribute.
LISTED_ATTRIBUTES = ("pk", "sk", "connection_state", "provider", "relays", "data_until")


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
    return BEST_FIRST.index(source.state), source.relays, source.name
