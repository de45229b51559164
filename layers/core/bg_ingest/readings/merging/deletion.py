"""Readings that their provider has deleted: taken out of an hour, and back into it; pure functions."""

# Rule 1: A deleted record takes its reading out of the hour, with all versions. It is kept as a removal.
# Rule 2: A reading that has records of other devices stays, since those were not deleted.
# Rule 3: An answer that is older than the removal changes nothing: its request was made before.
# Rule 4: A newer answer that contains the reading again puts it back, as its next version.
#
#   requested    09:00      09:05      09:10      09:20
#                  |          |          |          |
#   answer        110       deleted     110        110
#   saved       stored      removed    (late: requested before 09:05 ─► ignored)
#                                                back, revision 1

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bg_ingest.readings.merging.identity import same_source
from bg_ingest.readings.merging.revisions import EARLIER_MAX, first_version
from bg_ingest.readings.stored.stored_reading import Hour, Removal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from bg_ingest.readings.model import Reading
    from bg_ingest.readings.stored.stored_reading import StoredReading

# Twice the readings of an hour of a sensor that measures every minute would be deleted and sent again. The
# oldest removals are forgotten first.
REMOVALS_MAX = 120


def without_deleted(
    hour: Hour, deleted: Iterable[Reading], *, noticed_at: datetime, removed_at: datetime
) -> Hour:
    """The hour after the provider said that these records were deleted."""
    records = {record.at.replace(microsecond=0): record for record in deleted}
    removed = [
        Removal(stored, noticed_at, removed_at.replace(microsecond=0))
        for stored in hour.readings
        if (record := records.get(stored.reading.at)) and _is_deleted(stored, record, noticed_at)
    ]
    if not removed:
        return hour
    gone = {removal.stored.reading.at for removal in removed}
    return replace(
        hour,
        readings=tuple(stored for stored in hour.readings if stored.reading.at not in gone),
        removals=_kept([*(old for old in hour.removals if _at(old) not in gone), *removed]),
    )


def with_readmitted(
    hours: Mapping[datetime, Hour], records: Iterable[Reading], *, fetched_at: datetime, stored_at: datetime
) -> tuple[dict[datetime, Hour], list[Reading]]:
    """The hours with the readings that records bring back, and the records that no removal contradicts."""
    removals = {_at(removal): (start, removal) for start, hour in hours.items() for removal in hour.removals}
    changed = dict(hours)
    taken = {stored.reading.at for hour in hours.values() for stored in hour.readings} if removals else set()
    admitted: list[Reading] = []
    for record in records:
        start, removal = removals.get(record.at, (None, None))
        if start is None or removal is None or not same_source(removal.stored.reading, record):
            admitted.append(record)
        elif record.at in taken:
            admitted.append(record)  # Another source has a reading there by now, which it becomes a copy of.
        elif fetched_at > removal.noticed_at:
            del removals[record.at]
            changed[start] = _back(changed[start], removal, record, fetched_at, stored_at)
            admitted.append(record)
    return changed, admitted


def _is_deleted(stored: StoredReading, record: Reading, noticed_at: datetime) -> bool:
    return not stored.copies and stored.fetched_at <= noticed_at and same_source(stored.reading, record)


def _back(hour: Hour, removal: Removal, record: Reading, fetched_at: datetime, stored_at: datetime) -> Hour:
    earlier = removal.stored.versions[:EARLIER_MAX]
    revision = removal.stored.revision + 1
    stored = replace(first_version(record, fetched_at, stored_at), earlier=earlier, revision=revision)
    readings = sorted((*hour.readings, stored), key=lambda stored: stored.reading.at)
    return replace(
        hour, readings=tuple(readings), removals=tuple(old for old in hour.removals if old != removal)
    )


def _kept(removals: Iterable[Removal]) -> tuple[Removal, ...]:
    newest = sorted(removals, key=lambda removal: removal.removed_at)[-REMOVALS_MAX:]
    return tuple(sorted(newest, key=_at))


def _at(removal: Removal) -> datetime:
    return removal.stored.reading.at
