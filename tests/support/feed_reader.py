"""A program that follows the feed of changes and keeps a copy of the readings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bg_ingest.readings.changes.feed_cursor import FeedCursor, decode_feed_cursor, encode_feed_cursor

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.readings.changes.change_feed import ChangeFeed
    from bg_ingest.readings.changes.hour_changes import ReadingChange
    from bg_ingest.readings.store import ReadingStore
    from bg_ingest.readings.stored.stored_reading import StoredReading

Copied = dict["datetime", tuple[int, int]]


@dataclass
class FeedReader:
    """One user's copy: the value and the revision of each reading."""

    user_id: str
    text: str = ""  # The cursor, as a program keeps it.
    copied: Copied = field(default_factory=dict)
    received: list[ReadingChange] = field(default_factory=list)

    def read_page(self, feed: ChangeFeed, limit: int) -> int:
        """Read one page and return its size. A crash on the way leaves copy and cursor as they were."""
        cursor = decode_feed_cursor(self.text, self.user_id) if self.text else FeedCursor()
        changes, after = feed.read(self.user_id, cursor, limit)
        for change in changes:
            at = change.stored.reading.at
            if change.kind == "removed":
                self.copied.pop(at, None)
            else:
                self.copied[at] = _value(change.stored)
        self.received += changes
        self.text = encode_feed_cursor(after, self.user_id)
        return len(changes)

    def catch_up(self, feed: ChangeFeed, limit: int = 1000) -> int:
        """Read pages until one is not full; return the number of changes."""
        count = size = self.read_page(feed, limit)
        while size == limit:
            size = self.read_page(feed, limit)
            count += size
        return count


def stored_copy(store: ReadingStore, user_id: str, start: datetime, end: datetime) -> Copied:
    """What a perfect copy would hold."""
    return {stored.reading.at: _value(stored) for stored in store.between(user_id, start, end)}


def _value(stored: StoredReading) -> tuple[int, int]:
    return stored.reading.mg_dl, stored.revision
