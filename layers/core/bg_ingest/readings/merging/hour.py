"""Merging fetched records into stored hours: the one place that decides new, revised or duplicate."""

# The result depends on the hours, the records and the two times only. Rules, each with an example:
#
# 1. If a record has the transmitter and the ticks of a reading at most COPIES_APART_MAX away, it belongs to
#    that reading, also across a full hour. It may be further away if the clocks of the two devices differ by
#    just that much (identity).
#      The phone's 12:59:58 is stored. The receiver sends 13:00:03 with the same ticks: same reading, hour 12.
# 2. Otherwise, if a record has the instant of a reading, it belongs to that reading.
#      The phone sends 05:00:03 again without ticks: same reading.
# 3. If a record belongs to no reading, it becomes a new reading with the record's instant and device. These
#    two never change. If one answer has several such records, the lowest by `record_order` is the first.
#      One answer has the receiver's 05:00:05 and the phone's 05:00:03: the reading is at 05:00:03.
# 4. If a record comes from another source than its reading, it is noted as a copy and the served values stay.
#    A source is a kind of record and a device. Parts that one of the two devices leaves out are ignored.
#      The phone said 110, and the receiver says 111: 110 is served.
#    Only the sensor's own provider replaces what a relay has passed on: see identity.
# 5. If a record comes from the source of its reading and has other content, it is a revision. Versions have
#    the order of their fetches, and the last one is served.
#      The phone said 110 at 09:00 and says 112 at 09:15: 112 is served, and 110 is kept with its times.
# 6. If one answer has two contents of one source for one reading, the higher by `content_order` counts.
#      One answer says 110 and 112 for 05:00:03: it counts as 112.
# 7. Content is value, trend, rate, status and local offset (fields.CONTENT). Record ids are not content,
#    because Dexcom does not keep them stable.
#
# 8. A relayed record and one of the sensor's own provider also belong together if they are near and have one
#    value (identity).
#
#   record ──► its reading is stored? ── no ─────────────────────────────────► STORED
#                     │ yes
#                     ├── the first that was not relayed? ─ yes ─ serve it ──► REVISED
#                     ├── from another source? ── yes ── note the copy ──────► DUPLICATE
#                     ├── content of the fetch before it, or after it? ─ yes ► DUPLICATE
#                     └── other content ── add a version ────────────────────► REVISED
#
# Consequences, all tested:
# - Saving an answer again changes nothing, in any order. The answer may be cut into parts, but not between
#   two contents of one reading.
# - No stored version is lost. If one measurement was stored twice, the reading that was stored last becomes
#   a copy of the other.
# - The answers of one source give the same readings, in any order of saving. An older fetch that is saved
#   late never replaces a newer one.
#
# Two limits. First, a repetition stores nothing. If 110, 112, 110 are fetched in this order and saved as
# 110, 110, 112, the second 110 leaves no trace, and 112 is served until the next fetch. Second, a stored
# reading never moves. If two devices report a measurement, the record that is saved first is served.

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from bg_ingest.clock import hour_of
from bg_ingest.readings.merging.identity import (
    DeviceClocks,
    content_order,
    copy_of,
    outranks,
    own_record,
    record_order,
    same_source,
)
from bg_ingest.readings.merging.reading_index import ReadingIndex
from bg_ingest.readings.merging.revisions import (
    first_version,
    replaced_by_own,
    settled,
    with_readmitted,
    with_record,
)
from bg_ingest.readings.stored.stored_reading import Hour, StoredReading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from bg_ingest.readings.model import Reading
    from bg_ingest.readings.stored.stored_reading import Copy


def merge_hours(
    hours: Mapping[datetime, Hour], incoming: Iterable[Reading], *, fetched_at: datetime, stored_at: datetime
) -> dict[datetime, Hour]:
    """
    The hours after the records of one answer were merged into them.

    `hours` must contain the hour of each record. If a record is within CLOCKS_APART_MAX of a full hour, it
    must contain the neighbouring hour as well. An hour that is left out counts as empty.
    """
    fetched_at = fetched_at.replace(microsecond=fetched_at.microsecond // 1000 * 1000)
    stored_at = stored_at.replace(microsecond=0)
    given = sorted(map(_to_the_second, incoming), key=record_order)
    hours, given = with_readmitted(hours, given, fetched_at=fetched_at, stored_at=stored_at)
    known = [stored for hour in hours.values() for stored in hour.readings]
    index = ReadingIndex(known, DeviceClocks(_all_records(known, given)))
    records_at: defaultdict[datetime, list[Reading]] = defaultdict(list)
    new: set[datetime] = set()
    for record in given:
        at = index.place_of(record)
        if at is None:
            at = record.at
            new.add(at)
            index.add(first_version(record, fetched_at, stored_at))
        index.note(at, copy_of(record))
        records_at[at].append(record)
    for at, records in records_at.items():
        stored = index[at]
        own = [record for record in records if same_source(stored.reading, record)]
        if at in new:
            stored = settled(stored, max(own, key=content_order))
        elif own:
            stored = with_record(stored, max(own, key=content_order), fetched_at, stored_at)
        better = [record for record in records if outranks(record, stored.reading)]
        if better:
            same = [record for record in better if same_source(better[0], record)]
            record = max(same, key=content_order)
            stored = replaced_by_own(stored, record, fetched_at, stored_at)
        index.replace(stored)
    return _by_hour(index, hours)


def _all_records(known: Iterable[StoredReading], given: Iterable[Reading]) -> Iterator[Copy]:
    for stored in known:
        yield own_record(stored)
        yield from stored.copies
    yield from map(copy_of, given)


def _to_the_second(record: Reading) -> Reading:
    return record if record.at.microsecond == 0 else replace(record, at=record.at.replace(microsecond=0))


def _by_hour(index: ReadingIndex, hours: Mapping[datetime, Hour]) -> dict[datetime, Hour]:
    readings: defaultdict[datetime, list[StoredReading]] = defaultdict(list)
    for stored in index.readings():
        readings[hour_of(stored.reading.at)].append(stored)
    return {
        start: replace(hours.get(start, Hour(start)), readings=tuple(readings[start]))
        for start in sorted({*hours, *readings})
    }
