"""
The keys of the items that each source of a user has one of.

A user may have several sources of readings, such as a provider and a relay. The first one that was connected
has the plain keys `connection` and `sync`. The keys of each further one are `connection#<provider>` and
`sync#<provider>`. The name of a source is what follows the `#`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bg_ingest.dynamo import Item

# The name of a user's first source, regardless of its provider.
FIRST_SOURCE = ""
OF_ALL_SOURCES = "pk = :pk AND sk BETWEEN :first AND :last"


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
