"""One user's readings of one UTC hour, and the only place where new, revised and duplicate are decided."""

# Rule 1: merging is pure. The result depends on the hours, the records and the two times, on nothing else.
# Rule 2: the instant, to the second, is the identity of a reading. A record whose transmitter and ticks
#         are those of a reading within COPIES_APART_MAX is that measurement too, also across a full hour.
# Rule 3: the record that is stored first gives the reading its instant and its device, for ever.
#         Of several in one answer the first is the lowest by `record_order`, never by place in the answer.
# Rule 4: only the same source revises: the same kind of record, from a device of which no part that both
#         name differs. A copy from another device is noted and changes nothing that is served.
# Rule 5: a revision is another content from the same source. Versions stand in the order of their fetches;
#         the last is served, the others stay with the times they were fetched and stored.
# Rule 6: two contents of one source for one reading in one answer are settled by `content_order`.
# Rule 7: content is value, trend, rate, status and local offset. Record ids are not stable and do not count.
#
#   record ──► a reading of it is there? ── no ──────────────────────────────► STORED
#                     │ yes
#                     ├── from another source? ── yes ── note the copy ──────► DUPLICATE
#                     ├── says what the fetch before (or after) it said? ────► DUPLICATE
#                     └── says something else ── goes among the versions ────► REVISED
#
# What follows, and is tested: the same answer again changes nothing, in any order, cut anywhere but between
# two contents of one reading; no version that was ever there is lost; what one source says ends the same in
# whatever order its answers are saved, and an older fetch saved late never overrides a newer one.
#
# What cannot follow, because a repetition writes nothing: after 110, 112, 110 fetched in that order and
# saved as 110, 110, 112, the hour does not know of the second 110 and serves 112 until the next fetch.
# And because a stored reading never moves, of two devices' records the one that is saved first is served.

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bg_ingest.readings.merging.identity import content_order, record_order, same_source
from bg_ingest.readings.merging.reading_index import ReadingIndex
from bg_ingest.readings.merging.revisions import first_version, settled, with_record
from bg_ingest.readings.stored_reading import Copy, StoredReading, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bg_ingest.readings.model import Reading

__all__ = [
    "Copy",
    "Hour",
    "MergeReport",
    "StoredReading",
    "Version",
    "hour_of",
    "merge",
    "merge_hours",
    "report",
]

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Hour:
    """The readings of `[start, start + 1 h)`, by instant; `version` counts its writes, 0 is none yet."""

    start: datetime
    readings: tuple[StoredReading, ...] = ()
    version: int = 0


@dataclass(frozen=True, slots=True)
class MergeReport:
    """What became of the records of one merge."""

    stored: int
    revised: int
    duplicates: int
    changed: bool  # Also when only a copy was noted: there is something to write.


def hour_of(instant: datetime) -> datetime:
    """The start of the hour an instant lies in."""
    return instant.replace(minute=0, second=0, microsecond=0)


def merge(
    hour: Hour, incoming: Iterable[Reading], *, fetched_at: datetime, stored_at: datetime
) -> tuple[Hour, MergeReport]:
    """One hour with the records of one answer in it; all of them must lie in that hour."""
    records = list(incoming)
    if any(hour_of(record.at) != hour.start for record in records):
        raise ValueError("a record of another hour")
    merged = merge_hours({hour.start: hour}, records, fetched_at=fetched_at, stored_at=stored_at)[hour.start]
    return merged, report(hour, merged, len(records))


def merge_hours(
    hours: Mapping[datetime, Hour], incoming: Iterable[Reading], *, fetched_at: datetime, stored_at: datetime
) -> dict[datetime, Hour]:
    """
    Several hours with the records of one answer in them.

    Records within COPIES_APART_MAX of a full hour need the hour on its other side here as well.
    """
    fetched_at = fetched_at.replace(microsecond=fetched_at.microsecond // 1000 * 1000)
    stored_at = stored_at.replace(microsecond=0)
    shelf = ReadingIndex(stored for hour in hours.values() for stored in hour.readings)
    answers: defaultdict[datetime, list[Reading]] = defaultdict(list)
    new: set[datetime] = set()
    for record in sorted(map(_to_the_second, incoming), key=record_order):
        at = shelf.place_of(record)
        if at is None:
            at = record.at
            new.add(at)
            shelf.add(first_version(record, fetched_at, stored_at))
        shelf.note(at, Copy(record.device, record.at, record.transmitter_ticks))
        answers[at].append(record)
    for at, records in answers.items():
        stored = shelf[at]
        own = [record for record in records if same_source(stored.reading, record)]
        if at in new:
            shelf.replace(settled(stored, max(own, key=content_order)))
        elif own:
            shelf.replace(with_record(stored, max(own, key=content_order), fetched_at, stored_at))
    return _by_hour(shelf, hours)


def report(before: Hour, after: Hour, records: int) -> MergeReport:
    """What the step from one state of an hour to the next amounts to."""
    known = {stored.reading.at: stored for stored in before.readings}
    stored = len(after.readings) - len(before.readings)
    revised = sum(
        1
        for reading in after.readings
        if (was := known.get(reading.reading.at)) and was.versions != reading.versions
    )
    changed = after.readings != before.readings
    return MergeReport(stored, revised, records - stored - revised, changed)


def _to_the_second(record: Reading) -> Reading:
    return record if record.at.microsecond == 0 else replace(record, at=record.at.replace(microsecond=0))


def _by_hour(shelf: ReadingIndex, hours: Mapping[datetime, Hour]) -> dict[datetime, Hour]:
    readings: defaultdict[datetime, list[StoredReading]] = defaultdict(list)
    for stored in shelf.readings():
        readings[hour_of(stored.reading.at)].append(stored)
    return {
        start: replace(hours.get(start, Hour(start)), readings=tuple(readings[start]))
        for start in sorted({*hours, *readings})
    }
