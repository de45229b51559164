"""Records of a provider: realistic ones for examples, and generated ones for properties."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st

from bg_ingest.readings.merging.hour import merge_hours
from bg_ingest.readings.merging.reading_index import COPIES_MAX
from bg_ingest.readings.model import Device, Reading, content_values
from bg_ingest.readings.stored.stored_reading import Hour, hour_change

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bg_ingest.readings.stored.stored_reading import StoredReading

FIVE = datetime(2026, 11, 21, 5, tzinfo=UTC)
SIX = FIVE + timedelta(hours=1)
LATER = FIVE + timedelta(hours=3)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)

PHONE = Device("g7", "iOS", "G7", "transmitter-1")
RECEIVER = Device("g7", "receiver", None, "transmitter-1")
SILENT = Device()  # The old API says nothing about devices.
DEVICES = (
    PHONE,
    RECEIVER,
    replace(PHONE, transmitter="transmitter-2"),
    replace(PHONE, transmitter=None),
    SILENT,
)

# No deadline: on a busy machine an example may take long without a fault.
QUICK = settings(max_examples=max(60, settings().max_examples), deadline=None)


def at(minute: int, second: int = 0) -> datetime:
    """A time in the hour of most examples."""
    return FIVE + timedelta(minutes=minute, seconds=second)


def measured(when: datetime, mg_dl: int = 110, device: Device = PHONE, ticks: int | None = None) -> Reading:
    """One record. Its ticks follow from its instant, unless they are given."""
    if ticks is None:
        ticks = 85_000 + (when - FIVE) // SECOND
    return Reading(when, mg_dl, "flat", 0.3, device=device, transmitter_ticks=ticks)


def realistic(start: datetime, hours: int, every_s: int = 300) -> list[Reading]:
    """Records of a G7, with hashes and UUIDs of full length, and a second or two of jitter."""
    phone = replace(PHONE, transmitter=hashlib.sha256(b"transmitter").hexdigest())
    return [
        Reading(
            start + SECOND * (second + second % 3),
            100 + second % 83,
            ("flat", "fortyFiveUp", "singleDown")[second % 3],
            (second % 59 - 29) / 10,
            record_id=str(uuid.UUID(int=second << 70)),
            local_offset_minutes=-420,
            transmitter_ticks=8_527_300 + second + second % 2,
            device=phone,
        )
        for second in range(11, 3590 * hours, every_s)
    ]


def merged(hour: Hour, records: Iterable[Reading], fetched_at: datetime = LATER) -> Hour:
    """The hour after the records were merged into it, stored a second after the fetch."""
    return merge_hours({hour.start: hour}, records, fetched_at=fetched_at, stored_at=fetched_at + SECOND)[
        hour.start
    ]


class MergeCounts(NamedTuple):
    """The numbers of records that a merge stored, revised and found to be duplicates."""

    stored: int
    revised: int
    duplicates: int


def counted(hour: Hour, records: Sequence[Reading], fetched_at: datetime = LATER) -> tuple[Hour, MergeCounts]:
    """The hour after the records were merged into it, and the counts as a save reports them."""
    after = merged(hour, records, fetched_at)
    change = hour_change(hour, after)
    stored, revised = len(change.stored) - len(change.removed), len(change.revised)
    return after, MergeCounts(stored, revised, len(records) - stored - revised)


def contents(readings: Sequence[StoredReading]) -> list[tuple[datetime, list[tuple[object, ...]]]]:
    """The contents of all versions of each reading, without the times of fetch and save."""
    return [
        (stored.reading.at, [content_values(version.reading) for version in stored.versions])
        for stored in readings
    ]


def every_copy_is_noted(hour: Hour) -> bool:
    """Whether no reading has reached the number of copies above which further ones are not noted."""
    return all(len(stored.copies) < COPIES_MAX for stored in hour.readings)


def wild_records(spread_s: int = 400) -> st.SearchStrategy[Reading]:
    """Records with few instants, ticks, devices and values, so that they often coincide."""
    return st.builds(
        Reading,
        at=st.integers(0, spread_s // 20).map(lambda n: FIVE + SECOND * 20 * n),
        mg_dl=st.sampled_from([39, 110, 111, 401]),
        trend=st.sampled_from([None, "flat", "brandNew"]),
        trend_rate=st.sampled_from([None, 0.3]),
        status=st.sampled_from([None, "low"]),
        kind=st.sampled_from(["cgm", "cgm", "cgm", "manual"]),
        record_id=st.sampled_from([None, "r1", "2cab70ee-d3b4-5a34-9aa9-767513ab72bd"]),
        local_offset_minutes=st.sampled_from([None, -420]),
        transmitter_ticks=st.sampled_from([None, 1, 2, 3]),
        device=st.sampled_from(DEVICES),
    )


def wild_answers(spread_s: int = 400) -> st.SearchStrategy[list[Reading]]:
    """Any answer."""
    return st.lists(wild_records(spread_s), max_size=12)


def fetch_times() -> st.SearchStrategy[datetime]:
    """Few times, so that they often coincide."""
    return st.integers(0, 5).map(lambda n: LATER + MINUTE * n)


@st.composite
def wild_hours(draw: st.DrawFn) -> Hour:
    """An hour after a few answers, saved in any order."""
    hour = Hour(FIVE)
    for answer, fetched_at in draw(st.lists(st.tuples(wild_answers(), fetch_times()), max_size=4)):
        hour = merged(hour, answer, fetched_at)
    return hour
