"""The versions of one measurement, and how a fetched record adds to them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING

from bg_ingest.readings.merging.identity import content_order
from bg_ingest.readings.model import content_values
from bg_ingest.readings.stored.stored_reading import StoredReading, Version

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.readings.model import Reading

# A provider that changes a value in every answer must not fill its hour. The first versions and the newest
# are kept, and `revision` counts all of them. If many readings have versions, hour_size keeps fewer of each.
EARLIER_MAX = 31


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
