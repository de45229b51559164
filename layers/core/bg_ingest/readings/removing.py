"""Removing readings that their provider has deleted, with any number of concurrent writers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING

from bg_ingest.clock import hour_of
from bg_ingest.readings.merging.revisions import without_deleted
from bg_ingest.readings.saving import ROUNDS_MAX, HourContended, SaveStep
from bg_ingest.readings.stored.hour_items import HourUnreadable, hour_from_item
from bg_ingest.readings.stored.stored_reading import is_late, with_write
from bg_ingest.readings.stored.writer import to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from bg_ingest.dynamo import Item, Write
    from bg_ingest.readings.model import Reading
    from bg_ingest.readings.stored.hour_items import HourItems
    from bg_ingest.readings.stored.stored_reading import Hour


def remove_deleted(
    items: HourItems,
    user_id: str,
    deleted: Iterable[Reading],
    *,
    noticed_at: datetime,
    removed_at: datetime,
    cause: str | None = None,
    announce_late: Callable[[str, Mapping[datetime, int]], None] = lambda *_: None,
) -> list[SaveStep]:
    """Take the deleted readings out of their hours. Returns the writes that it made."""
    by_hour: defaultdict[datetime, list[Reading]] = defaultdict(list)
    for record in deleted:
        by_hour[hour_of(record.at.astimezone(UTC))].append(record)
    noticed_at = noticed_at.replace(microsecond=noticed_at.microsecond // 1000 * 1000)

    def write(before: Hour) -> tuple[Hour, Write] | None:
        """Write the hour without its deleted readings; None if it contains none."""
        records = by_hour[before.start]
        after = without_deleted(before, records, noticed_at=noticed_at, removed_at=removed_at)
        if after == before:
            return None
        after = with_write(before, after, removed_at)
        if is_late(after.start, removed_at):
            announce_late(user_id, {after.start: after.version + 1})
        return after, items.write(user_id, after, to_text(after.start, after.readings), cause)

    read = (next(items.query(user_id, start, start), None) for start in sorted(by_hour))
    return [step for item in read if item is not None and (step := _step(item, write))]


def _step(item: Item, write: Callable[[Hour], tuple[Hour, Write] | None]) -> SaveStep | None:
    """The accepted write of one hour."""
    current: Item | None = item
    for _ in range(ROUNDS_MAX):
        try:
            before = hour_from_item(current) if current is not None else None
        except HourUnreadable:
            return None  # An operator has to look at the hour, and its readings are not served.
        written = write(before) if before is not None else None
        if before is None or written is None:
            return None
        after, answer = written
        if answer.accepted:
            return SaveStep(before, replace(after, version=after.version + 1))
        current = answer.item  # Another writer was faster.
    raise HourContended("other writers changed the hour of a deleted reading in every round")
