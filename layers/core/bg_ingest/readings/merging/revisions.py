"""The versions of one measurement: a record adds one, and a deletion takes all of them out of the hour."""

# A record adds a version: see `with_record`. A deletion takes a reading out of its hour, and back into it:
#
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

from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING

from bg_ingest.readings.merging.identity import content_order, copy_of, copy_order, same_source
from bg_ingest.readings.model import content_values
from bg_ingest.readings.stored.stored_reading import EARLIER_MAX, Hour, Removal, StoredReading, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from bg_ingest.readings.model import Reading


# Twice the readings of an hour of a sensor that measures every minute would be deleted and sent again. The
# oldest removals are forgotten first.
REMOVALS_MAX = 120


def first_version(record: Reading, fetched_at: datetime, stored_at: datetime) -> StoredReading:
    """A new measurement."""
    return StoredReading(record, stored_at, 0, (), fetched_at)


def settled(stored: StoredReading, record: Reading) -> StoredReading:
    """A new measurement with the content that counts, if its answer had several."""
    return replace(stored, reading=_in_place_of(stored.reading, record))


def with_record(
    stored: StoredReading, record: Reading, fetched_at: datetime, stored_at: datetime
) -> StoredReading:
    """
    The reading after its own source sent this record.

        fetched    09:00     09:15      09:30     10:00
                     |         |          |         |
        value       110       110        112       112
        versions   [110]                [112]                 a repetition adds no version

    Versions have the order of their fetches, whenever they are saved, and the last one is served. A record
    that was fetched at 09:20 and is saved only now becomes a version between the two. 112 is still served.
    """
    relayed = stored.relayed_versions
    versions = stored.versions[relayed:]
    order = [(version.fetched_at, content_order(version.reading)) for version in versions]
    place = bisect_right(order, (fetched_at, content_order(record)))
    before, after = versions[:place], versions[place:]
    if len(after) == 1 and (stored.dropped or relayed + len(before) >= EARLIER_MAX):
        return stored  # A late fetch from between the first versions and the newest is not kept.
    content = content_values(record)
    if any(content_values(version.reading) == content for version in (*before[-1:], *after[:1])):
        return stored
    if after and after[0].fetched_at == fetched_at:
        return stored  # Another record of the same answer has a higher content, which counts.
    version = Version(_in_place_of(stored.reading, record), fetched_at, stored_at)
    return _newest_served(stored, (*stored.versions[:relayed], *before, version, *after))


def replaced_by_own(
    stored: StoredReading, record: Reading, fetched_at: datetime, stored_at: datetime
) -> StoredReading:
    """A reading that was relayed, after the sensor's own provider has sent it: that is its next version."""
    reading = replace(record, at=stored.reading.at)
    copies = {*stored.copies, copy_of(stored.reading)} - {copy_of(reading)}
    return replace(
        stored,
        reading=reading,
        stored_at=stored_at,
        revision=stored.revision + 1,
        earlier=stored.versions[:EARLIER_MAX],
        fetched_at=fetched_at,
        copies=tuple(sorted(copies, key=copy_order)),
    )


def _in_place_of(first: Reading, record: Reading) -> Reading:
    return replace(record, at=first.at, device=first.device, transmitter_ticks=first.transmitter_ticks)


def _newest_served(stored: StoredReading, versions: tuple[Version, ...]) -> StoredReading:
    *earlier, newest = versions
    # Dropped versions lie between the first ones and the newest, so what was the newest is dropped as well.
    keep = len(stored.earlier) if stored.dropped and newest != stored.versions[-1] else EARLIER_MAX
    return replace(
        stored,
        reading=newest.reading,
        stored_at=newest.stored_at,
        revision=stored.revision + 1,
        earlier=tuple(earlier[:keep]),
        fetched_at=newest.fetched_at,
    )


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
