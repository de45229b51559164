"""One hour as an item of the readings table: its keys, its attributes, its conditional write."""

#   pk            the user
#   sk            2026-11-21T05
#   readings      the text of stored_form
#   version       counts the writes of this item; the condition of the next one
#   expires_at    epoch seconds; DynamoDB removes the item within days after, reads stop at once
#   by            the correlation id of what caused the last write; a UUID as its sixteen bytes, because an
#                 hour has to stay under a kilobyte. Nothing in items that are older than this attribute

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bg_ingest.readings.merging.hour import HOUR, Hour, hour_of
from bg_ingest.readings.stored.formats import columns_from_text, from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bg_ingest.dynamo import Item, Table, Write
    from bg_ingest.readings.columns import HourColumns


@dataclass(frozen=True, slots=True)
class HourItems:
    """The items of everybody's hours."""

    table: Table
    retention_days: int

    def first_kept(self, now: datetime) -> datetime:
        """The oldest hour that has not expired."""
        return hour_of(now - timedelta(days=self.retention_days))

    def query(
        self,
        user_id: str,
        first: datetime,
        last: datetime,
        *,
        descending: bool = False,
        consistent: bool = True,
        page_items_max: int | None = None,
    ) -> Iterator[Item]:
        """The items of all hours from the one `first` lies in to the one `last` lies in."""
        return self.table.query(
            "pk = :user AND sk BETWEEN :first AND :last",
            {":user": user_id, ":first": _key(first), ":last": _key(last)},
            descending=descending,
            consistent=consistent,
            page_items_max=page_items_max,
        )

    def write(self, user_id: str, hour: Hour, cause: str | None = None) -> Write:
        """Store the hour unless somebody else has since it was read; then theirs comes back."""
        #   read (version 7)          write (version 8)
        #       |-- nobody else writes --|                 accepted
        #       |-- another writes 8 ----|                 refused
        #       |-- the item is removed -|                 refused
        never_written = "attribute_not_exists(pk)"
        unchanged = "version = :seen"
        expires_at = hour.start + HOUR + timedelta(days=self.retention_days)
        return self.table.put(
            {
                "pk": user_id,
                "sk": _key(hour.start),
                "readings": to_text(hour.start, hour.readings),
                "version": hour.version + 1,
                "expires_at": int(expires_at.timestamp()),
                **({"by": _compact(cause)} if cause else {}),
            },
            unchanged if hour.version else never_written,
            {":seen": hour.version} if hour.version else None,
        )


def hour_from_item(item: Item) -> Hour:
    """The hour an item holds."""
    start = _start(item)
    return Hour(start, from_text(start, item["readings"]), item["version"])


def columns_from_item(item: Item) -> HourColumns:
    """What is served of the hour an item holds."""
    return columns_from_text(_start(item), item["readings"])


def cause_of(item: Item) -> str | None:
    """The correlation id of what caused the last write of this item, if that is known."""
    cause: str | bytes | None = item.get("by")
    return str(uuid.UUID(bytes=cause)) if isinstance(cause, bytes) else cause


def _compact(cause: str) -> str | bytes:
    try:
        identifier = uuid.UUID(cause)
    except ValueError:
        return cause
    # Only what comes back letter for letter: Python reads other spellings of a UUID, too.
    return identifier.bytes if str(identifier) == cause else cause


def _start(item: Item) -> datetime:
    return datetime.fromisoformat(f"{item['sk']}:00").replace(tzinfo=UTC)


def _key(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H")
