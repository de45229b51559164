"""One hour as an item of the readings table: its key, its attributes, its conditional write."""

#   pk            The user.
#   sk            The hour: 2026-11-21T05.
#   readings      The readings as JSON text: compact, and readable in the DynamoDB console.
#   removed       Only if the provider deleted readings: [their text in the same form, rows of two times]. The
#                 first is that of the request whose answer said so, the second that of the removal here.
#   writes        The storage times of the last writes, in seconds after the start of the hour, separated by
#                 spaces. Items of the first releases have none.
#   folded        Only if readings became copies of others: the text of each in the same form, and when.
#   version       The number of writes of this item. The next write is conditional on it.
#   expires_at    Epoch seconds. Reads stop at once, and DynamoDB removes the item within days.
#   by            The correlation id of the cause of the last write. A UUID is stored as its sixteen bytes,
#                 because an hour has to stay under a kilobyte. Items of the first releases have none.
#
# Formats of the text:
# 1. A format that was ever written stays readable. `READERS` and `COLUMN_READERS` only grow.
# 2. A write uses the newest format. An old hour changes its format with its next write.
# 3. If a text cannot be read, the whole hour is rejected, with an exception that contains no value.

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from bg_ingest.clock import HOUR, to_iso
from bg_ingest.readings.stored import format_1
from bg_ingest.readings.stored.stored_reading import FoldedReading, Hour, Removal, StoredReading
from bg_ingest.readings.stored.writer import to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bg_ingest.dynamo import Item, Table, Write
    from bg_ingest.readings.stored.stored_reading import HourColumns

Content = TypeVar("Content")
Reader = Callable[[datetime, Mapping[str, Any]], Content]

_SECOND = timedelta(seconds=1)

READERS: dict[int, Reader[tuple[StoredReading, ...]]] = {1: format_1.read}
COLUMN_READERS: dict[int, Reader[HourColumns]] = {1: format_1.read_columns}


class HourUnreadable(Exception):
    """A stored hour is in no format that this version reads. A person has to look at it."""


def _reject(constant: str) -> None:
    raise ValueError(constant)


_JSON = json.JSONDecoder(parse_constant=_reject)  # Python's default accepts NaN as a number.


@dataclass(frozen=True, slots=True)
class HourItems:
    """The stored hours of all users."""

    table: Table
    retention_days: int

    def oldest_kept(self, now: datetime) -> datetime:
        """The start of the oldest hour that is not expired."""
        return _start(_sk(now - timedelta(days=self.retention_days)))

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
        """The items from the hour that contains `first` to the hour that contains `last`."""
        return self.table.query(
            "pk = :user AND sk BETWEEN :first AND :last",
            {":user": user_id, ":first": _sk(first), ":last": _sk(last)},
            descending=descending,
            consistent=consistent,
            page_items_max=page_items_max,
        )

    def write(self, user_id: str, hour: Hour, text: str, cause: str | None = None) -> Write:
        """
        Store the hour, whose readings are `text`, unless another writer stored it since it was read.

        A refusal returns the other writer's item.
        """
        #   read (version 7)          write (version 8)
        #       |-- no other write ------|                 accepted
        #       |-- another writes 8 ----|                 refused
        #       |-- the item is removed -|                 refused
        never_written = "attribute_not_exists(pk)"
        unchanged = "version = :seen"
        expires_at = hour.start + HOUR + timedelta(days=self.retention_days)
        return self.table.put(
            {
                "pk": user_id,
                "sk": _sk(hour.start),
                "readings": text,
                **({"removed": _removals_to_item(hour)} if hour.removals else {}),
                "writes": " ".join(str((written - hour.start) // _SECOND) for written in hour.writes),
                **({"folded": _folded_to_item(hour)} if hour.folded else {}),
                "version": hour.version + 1,
                "expires_at": int(expires_at.timestamp()),
                **({"by": _packed(cause)} if cause else {}),
            },
            unchanged if hour.version else never_written,
            {":seen": hour.version} if hour.version else None,
        )


def hour_start(item: Item) -> datetime:
    """The hour that an item is about, also if its readings cannot be read."""
    return _start(item["sk"])


def hour_from_item(item: Item) -> Hour:
    """The hour of an item."""
    start = hour_start(item)
    readings = read_text(READERS, start, item["readings"])
    return Hour(
        start,
        readings,
        item["version"],
        _removals_from_item(start, item.get("removed")),
        tuple(start + timedelta(0, int(written)) for written in item.get("writes", "").split()),
        _folded_from_item(start, item.get("folded")),
    )


def columns_from_item(item: Item) -> HourColumns:
    """The served fields of the hour of an item."""
    return read_text(COLUMN_READERS, _start(item["sk"]), item["readings"])


def cause_of(item: Item) -> str | None:
    """The correlation id of the cause of the last write; None if it is unknown."""
    cause: str | bytes | None = item.get("by")
    return str(uuid.UUID(bytes=cause)) if isinstance(cause, bytes) else cause


def read_text(readers: Mapping[int, Reader[Content]], start: datetime, text: str) -> Content:
    """The content of an hour in any format: READERS give its readings, COLUMN_READERS its columns."""
    try:
        form = _JSON.decode(text)
        reader = readers[form["format"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise HourUnreadable("the hour is in no known format") from None
    try:
        return reader(start, form)
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError):
        # Not "from error": the text of the error may contain a value.
        raise HourUnreadable(f"the hour is not valid in format {form['format']}") from None


def _removals_to_item(hour: Hour) -> list[Any]:
    times = [[to_iso(removal.noticed_at), to_iso(removal.removed_at)] for removal in hour.removals]
    return [to_text(hour.start, [removal.stored for removal in hour.removals]), times]


def _removals_from_item(start: datetime, removed: list[Any] | None) -> tuple[Removal, ...]:
    if removed is None:
        return ()
    text, times = removed
    return tuple(
        Removal(stored, datetime.fromisoformat(noticed_at), datetime.fromisoformat(removed_at))
        for stored, (noticed_at, removed_at) in zip(read_text(READERS, start, text), times, strict=True)
    )


def _folded_to_item(hour: Hour) -> list[Any]:
    # An instant may occur twice, which the form of an hour does not allow, so each reading has its own text.
    return [[to_text(hour.start, [each.stored]), to_iso(each.removed_at)] for each in hour.folded]


def _folded_from_item(start: datetime, folded: list[Any] | None) -> tuple[FoldedReading, ...]:
    return tuple(
        FoldedReading(read_text(READERS, start, text)[0], datetime.fromisoformat(removed_at))
        for text, removed_at in folded or ()
    )


def _packed(cause: str) -> str | bytes:
    try:
        identifier = uuid.UUID(cause)
    except ValueError:
        return cause
    # Python accepts other spellings of a UUID, which would not come back letter for letter.
    return identifier.bytes if str(identifier) == cause else cause


def _sk(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H")


def _start(sk: str) -> datetime:
    return datetime.fromisoformat(f"{sk}:00").replace(tzinfo=UTC)
