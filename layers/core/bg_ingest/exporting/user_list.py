"""
The list of all users who ever connected and are not erased, in the order of their ids.

Each connection item carries the same value in the attribute `seat`, so the index `seat` lists the users
without reading anything else. The attribute never changes afterwards, so a poll or a refresh does not write
to the index. A page then reads the items of each source that it shows, by their keys, and of these a few
attributes.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from bg_ingest.accounts import connection
from bg_ingest.accounts.connection import FIRST_SOURCE, source_key
from bg_ingest.sync.user_sources import LISTED_ATTRIBUTES, newest_data, sources_of_users

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from bg_ingest.dynamo import Table
    from bg_ingest.sync.user_sources import ListedSource


class UserCursorInvalid(Exception):
    """The text is not a cursor that `encode_user` made."""


@dataclass(frozen=True, slots=True)
class ListedUser:
    """One user as services see them in the list."""

    user_id: str = field(repr=False)
    sources: Sequence[ListedSource]  # The main one first: it has the best state.

    @property
    def data_until(self) -> datetime | None:
        """The time of the newest reading of any source."""
        return newest_data(self.sources)


@dataclass(frozen=True, slots=True)
class UserList:
    """The users, in the users table."""

    table: Table
    providers: Collection[str]  # Where a user can have a further source.

    def ids_after(self, user_id: str = "") -> Iterator[str]:
        """The ids that sort after this one, read as they are consumed."""
        # A key cannot be the empty text, and a user id begins with a letter or a digit.
        condition = "seat = :listed AND pk > :after"
        values = {":listed": connection.LISTED, ":after": user_id or " "}
        return (item["pk"] for item in self.table.query(condition, values, index="seat"))

    def own_provider_of(self, user_id: str) -> str | None:
        """The provider of the user's sensor, connected or not; None for a user who never connected."""
        keys = [(user_id, source_key(connection.SK, source)) for source in (FIRST_SOURCE, *self.providers)]
        items = self.table.get_all(keys, LISTED_ATTRIBUTES)
        own = min(items, key=lambda item: (item.get("relays", False), item["sk"]), default=None)
        return own["provider"] if own else None

    def page(self, after: str, limit: int) -> tuple[list[ListedUser], str | None]:
        """At most `limit` users whose ids sort after this one, and the last id of the page."""
        user_ids = list(islice(self.ids_after(after), limit + 1))
        shown, has_next = user_ids[:limit], len(user_ids) > limit
        found = sources_of_users(self.table, shown, self.providers, LISTED_ATTRIBUTES)
        # The index can lag behind an erasure.
        users = [ListedUser(user_id, found[user_id]) for user_id in shown if user_id in found]
        # The last id of the index, because all users of a page can be erased.
        return users, shown[-1] if has_next else None


def encode_user(user_id: str) -> str:
    """The cursor after this user, as text that needs no escaping in a URL."""
    return urlsafe_b64encode(user_id.encode()).decode().rstrip("=")


def decode_user(text: str) -> str:
    """The user id of a text that `encode_user` made; UserCursorInvalid for any other text."""
    try:
        user_id = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except ValueError:
        raise UserCursorInvalid("this text is not a cursor") from None
    if encode_user(user_id) != text or not user_id[:1].isalnum():
        raise UserCursorInvalid("this text is not a cursor")
    return user_id
