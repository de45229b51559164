"""Getting records into the table by compare-and-swap, however many others do the same."""

# A save is read, merge, write what changed, until nothing is left to write:
#
#   writer A   read v7 ─ merge ─ write if v7 ✓ (v8)
#   writer B   read v7 ─ merge ──────────────────── write if v7 ✗, v8 comes back ─ merge ─ write if v8 ✓ (v9)
#
# Every item goes from state to state through conditions only, so each reading is stored by exactly one
# writer, and what the writers report adds up to what is there.
#
# One thing no condition on one item can see: two writers at once, one storing the phone's record of
# 12:59:58 in its hour, the other the receiver's record of the same measurement, 13:00:03, in the next. So
# whoever has stored a reading that close to a full hour reads once more. Each writes before it reads
# again, so at least one of the two sees both, and merging folds them into one.

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from functools import partial
from typing import TYPE_CHECKING

from bg_ingest.readings.merging.hour import HOUR, Hour, hour_of, merge_hours
from bg_ingest.readings.merging.identity import COPIES_APART_MAX, measurement_id
from bg_ingest.readings.stored.hour_items import hour_from_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from bg_ingest.dynamo import Write
    from bg_ingest.readings.model import Reading
    from bg_ingest.readings.stored.hour_items import HourItems

# A round is lost only when another writer's write was accepted. Each of 32 writers who start at once writes
# an hour at most twice, so all of them get through, and a livelock still ends.
ROUNDS_MAX = 64

# Reading a stretch of hours that nobody asked for costs less than another query, up to here.
UNASKED_HOURS_MAX = 12


class HourContended(Exception):
    """Other writers changed the same hours in every round; what was saved is safe, saving again is too."""


@dataclass(frozen=True, slots=True)
class Step:
    """One write that was accepted: the hour it found and the hour it left."""

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
) -> list[Step]:
    """Write until everything the records say is in the table; every step that was ours."""
    steps: list[Step] = []
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
    raise HourContended("other writers kept changing the hours of this save")


def _write_changed(
    write_hour: Callable[[Hour], Write], hours: Mapping[datetime, Hour], merged: Mapping[datetime, Hour]
) -> tuple[list[Step], dict[datetime, Hour]]:
    """The steps that were accepted, and the hours as they now are where a write was refused."""
    accepted: list[Step] = []
    refused: dict[datetime, Hour] = {}
    for start, after in merged.items():
        before = hours.get(start, Hour(start))
        if after.readings == before.readings:
            continue
        write = write_hour(after)
        if write.accepted:
            accepted.append(Step(before, replace(after, version=after.version + 1)))
        else:
            refused[start] = hour_from_item(write.item) if write.item else Hour(start)
    return accepted, refused


def _hours_around(items: HourItems, user_id: str, records: Iterable[Reading]) -> dict[datetime, Hour]:
    """The hours of the records, and those that a copy of one of them may be in."""
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
    stretches: list[tuple[datetime, datetime]] = []
    for hour in hours:
        if stretches and hour - stretches[-1][1] <= HOUR * UNASKED_HOURS_MAX:
            stretches[-1] = (stretches[-1][0], hour)
        else:
            stretches.append((hour, hour))
    return stretches


def _may_have_a_twin(step: Step) -> bool:
    known = {stored.reading.at for stored in step.before.readings}
    edges = (step.after.start, step.after.start + HOUR)
    return any(
        measurement_id(stored.reading.device, stored.reading.transmitter_ticks)
        and min(abs(stored.reading.at - edge) for edge in edges) <= COPIES_APART_MAX
        for stored in step.after.readings
        if stored.reading.at not in known
    )
