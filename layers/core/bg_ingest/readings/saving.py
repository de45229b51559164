"""Saving records by compare-and-swap, with any number of concurrent writers."""

# A save repeats these steps until there is nothing left to write: read, merge, write what changed.
#
#   writer A   read v7 ─ merge ─ write if v7 ✓ (v8)
#   writer B   read v7 ─ merge ──────────────────── write if v7 ✗, v8 comes back ─ merge ─ write if v8 ✓ (v9)
#
# Every write is conditional on the version that was read. So each reading is stored by exactly one writer,
# and the counts of all writers add up to what is stored.
#
# A condition on one item cannot see a second item. Example: one writer stores the phone's record of 12:59:58
# in its hour. At the same time another stores the receiver's record of the same measurement, 13:00:03, in the
# next hour. Therefore a writer that has stored a reading this close to a full hour reads both hours again.
# Each writer writes before it reads again, so at least one of them sees both readings and folds them into
# one.

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from functools import partial
from typing import TYPE_CHECKING

from bg_ingest.readings.merging.hour import merge_hours
from bg_ingest.readings.merging.identity import COPIES_APART_MAX, measurement_id
from bg_ingest.readings.stored.hour_items import hour_from_item
from bg_ingest.readings.stored_reading import Hour
from bg_ingest.utc import HOUR, hour_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from bg_ingest.dynamo import Write
    from bg_ingest.readings.model import Reading
    from bg_ingest.readings.stored.hour_items import HourItems

# A writer loses a round only if another writer's write was accepted. If 32 writers start at once, each of
# them writes an hour at most twice, so all finish within this limit. A livelock ends at it.
ROUNDS_MAX = 64

# One query over this many hours that are not needed costs less than a second query.
SKIPPED_HOURS_MAX = 12


class HourContended(Exception):
    """Other writers changed the same hours in every round. The save can be retried."""


@dataclass(frozen=True, slots=True)
class SaveStep:
    """One accepted write: the hour before and after it."""

    before: Hour
    after: Hour


def save_records(
    items: HourItems,
    user_id: str,
    records: Sequence[Reading],
    *,
    fetched_at: datetime,
    stored_at: datetime,
    cause: str | None = None,
) -> list[SaveStep]:
    """Merge the records into the stored hours. Returns the writes that it made."""
    steps: list[SaveStep] = []
    hours = _hours_around(items, user_id, records)
    for _ in range(ROUNDS_MAX):
        merged = merge_hours(hours, records, fetched_at=fetched_at, stored_at=stored_at)
        accepted, refused = _write_changed(partial(items.write, user_id, cause=cause), hours, merged)
        steps += accepted
        if any(map(_may_have_a_twin, accepted)):
            hours = _hours_around(items, user_id, records)
        elif refused:
            hours |= {step.after.start: step.after for step in accepted} | refused
        else:
            return steps
    raise HourContended("other writers changed the hours of this save in every round")


def _write_changed(
    write_hour: Callable[[Hour], Write], hours: Mapping[datetime, Hour], merged: Mapping[datetime, Hour]
) -> tuple[list[SaveStep], dict[datetime, Hour]]:
    """The accepted writes, and the current hours where a write was refused."""
    accepted: list[SaveStep] = []
    refused: dict[datetime, Hour] = {}
    for start, after in merged.items():
        before = hours.get(start, Hour(start))
        if after.readings == before.readings:
            continue
        write = write_hour(after)
        if write.accepted:
            accepted.append(SaveStep(before, replace(after, version=after.version + 1)))
        else:
            refused[start] = hour_from_item(write.item) if write.item else Hour(start)
    return accepted, refused


def _hours_around(items: HourItems, user_id: str, records: Iterable[Reading]) -> dict[datetime, Hour]:
    """The stored hours that contain the records or may contain a copy of one."""
    wanted = {
        hour_of(record.at.astimezone(UTC) + apart)
        for record in records
        for apart in (-COPIES_APART_MAX, timedelta(0), COPIES_APART_MAX)
    }
    return {
        hour.start: hour
        for first, last in _stretches(sorted(wanted))
        for hour in map(hour_from_item, items.query(user_id, first, last))
    }


def _stretches(hours: Iterable[datetime]) -> list[tuple[datetime, datetime]]:
    """The first and last hour of each query that together read all the hours."""
    stretches: list[tuple[datetime, datetime]] = []
    for hour in hours:
        if stretches and hour - stretches[-1][1] <= HOUR * SKIPPED_HOURS_MAX:
            stretches[-1] = (stretches[-1][0], hour)
        else:
            stretches.append((hour, hour))
    return stretches


def _may_have_a_twin(step: SaveStep) -> bool:
    """Whether the write added a reading of which the neighbouring hour may contain another record."""
    known = {stored.reading.at for stored in step.before.readings}
    edges = (step.after.start, step.after.start + HOUR)
    return any(
        measurement_id(stored.reading.device, stored.reading.transmitter_ticks)
        and min(abs(stored.reading.at - edge) for edge in edges) <= COPIES_APART_MAX
        for stored in step.after.readings
        if stored.reading.at not in known
    )
