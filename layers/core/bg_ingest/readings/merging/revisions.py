"""One measurement's versions, and what an answer of the provider adds to them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING

from bg_ingest.readings.merging.identity import content, content_order
from bg_ingest.readings.stored_reading import StoredReading, Version

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.readings.model import Reading

# A provider that changes its mind with every answer must not grow an hour beyond what DynamoDB stores
# (400 KB): 84 readings with this many versions each stay under 150 KB. The oldest are kept, and the newest.
EARLIER_MAX = 31


def first_version(record: Reading, fetched_at: datetime, stored_at: datetime) -> StoredReading:
    """A measurement nobody reported before."""
    return StoredReading(record, stored_at, 0, (), fetched_at)


def settled(stored: StoredReading, record: Reading) -> StoredReading:
    """The first version of a new reading, with what its source says after all in the very same answer."""
    return replace(stored, reading=_in_place_of(stored.reading, record))


def with_record(
    stored: StoredReading, record: Reading, fetched_at: datetime, stored_at: datetime
) -> StoredReading:
    """
    The reading after its own source said this in a fetch of that time.

        fetched    09:00     09:15      09:30     10:00
                     |         |          |         |
        said        110       110        112       112
        versions   [110]                [112]                 a repetition adds nothing

    Versions stand in the order of their fetches, whenever they are saved, and the last is served. So a
    version fetched at 09:20 and saved only now goes between the two and changes nothing that is served.
    """
    versions = stored.versions
    order = [(version.fetched_at, content_order(version.reading)) for version in versions]
    place = bisect_right(order, (fetched_at, content_order(record)))
    before, after = versions[:place], versions[place:]
    if any(content(version.reading) == content(record) for version in (*before[-1:], *after[:1])):
        return stored
    if after and after[0].fetched_at == fetched_at:
        return stored  # The rest of its own answer has settled it already.
    version = Version(_in_place_of(stored.reading, record), fetched_at, stored_at)
    return _served_last(stored, (*before, version, *after))


def _in_place_of(first: Reading, record: Reading) -> Reading:
    return replace(record, at=first.at, device=first.device, transmitter_ticks=first.transmitter_ticks)


def _served_last(stored: StoredReading, versions: tuple[Version, ...]) -> StoredReading:
    *earlier, newest = versions
    kept = tuple(earlier[:EARLIER_MAX])
    return replace(
        stored,
        reading=newest.reading,
        stored_at=newest.stored_at,
        revision=len(kept),
        earlier=kept,
        fetched_at=newest.fetched_at,
    )
