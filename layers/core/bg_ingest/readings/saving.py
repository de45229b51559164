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
# one. "This close" is how far the clocks of the hour's devices are apart.
#
# If a save folds readings, it has learnt how far two clocks are apart. Pairs across the next full hours may
# have been stored before that was known, so the save reads the hours around as well and merges again.

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from bg_ingest.clock import HOUR, hour_of
from bg_ingest.readings.merging.hour import merge_hours
from bg_ingest.readings.merging.identity import (
    CLOCKS_APART_MAX,
    COPIES_APART_MAX,
    RELAYED_APART_MAX,
    measurement_id,
)
from bg_ingest.readings.stored.hour_items import HourUnreadable, hour_from_item, hour_start
from bg_ingest.readings.stored.stored_reading import Hour, hour_change, is_late, with_write
from bg_ingest.readings.stored.writer import fit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from bg_ingest.dynamo import Item
    from bg_ingest.readings.model import Reading
    from bg_ingest.readings.stored.hour_items import HourItems
    from bg_ingest.readings.stored.writer import FittedHour

# A writer loses a round only if another writer's write was accepted. If 32 writers start at once, each of
# them writes an hour at most twice, so all finish within this limit. A livelock ends at it.
ROUNDS_MAX = 64

# One query over this many hours that are not needed costs less than a second query.
SKIPPED_HOURS_MAX = 12


# If this many hours in a row cannot be written, the table is not available, and the others are not tried.
FAILURES_MAX = 3

# Why a reading is not stored.
HOUR_FULL = "hour-full"
HOUR_UNREADABLE = "hour-unreadable"


class HourContended(Exception):
    """Other writers changed the same hours in every round. The save can be retried."""


@dataclass(frozen=True, slots=True)
class SaveStep:
    """One accepted write: the hour before and after it."""

    before: Hour
    after: Hour


@dataclass(frozen=True, slots=True)
class SetAside:
    """A reading that is not stored, and why."""

    reason: str
    reading: Reading = field(repr=False)


@dataclass(slots=True)
class HoursSave:
    """
    One save: the records of one fetch, merged into the stored hours of their user.

    An hour that is full or unreadable sets its own readings aside. An hour that cannot be written does not
    keep the others from being written.
    """

    items: HourItems
    user_id: str
    records: Sequence[Reading]
    fetched_at: datetime
    stored_at: datetime
    cause: str | None = None
    # Called before late hours are written, with the version that each will have.
    announce_late: Callable[[str, Mapping[datetime, int]], None] = lambda *_: None
    steps: list[SaveStep] = field(default_factory=list)  # The accepted writes.
    _hours: dict[datetime, Hour] = field(default_factory=dict)
    _unreadable: set[datetime] = field(default_factory=set)
    _full: dict[datetime, tuple[Reading, ...]] = field(default_factory=dict)

    def run(self) -> None:
        """Write until nothing is left to write. Raises the first error after all hours were tried."""
        wanted = _hours_around(self.records)
        self._read(wanted)
        for _ in range(ROUNDS_MAX):
            accepted, refused = self._write_changed()
            self.steps += accepted
            wanted |= _hours_beside_folded(accepted)
            if any(_may_have_a_twin(step) or _has_folded(step) for step in accepted):
                self._read(wanted)
            elif refused:
                self._hours |= {step.after.start: step.after for step in accepted}
                for start, item in refused.items():
                    self._take(start, item)
            else:
                return
        raise HourContended("other writers changed the hours of this save in every round")

    @property
    def set_aside(self) -> list[SetAside]:
        """The readings that are not stored."""
        full = [SetAside(HOUR_FULL, reading) for readings in self._full.values() for reading in readings]
        unreadable = [record for record in self.records if hour_of(_utc(record)) in self._unreadable]
        return full + [SetAside(HOUR_UNREADABLE, record) for record in unreadable]

    def _read(self, wanted: Iterable[datetime]) -> None:
        self._hours, self._unreadable = {}, set()
        for first, last in _stretches(sorted(wanted)):
            for item in self.items.query(self.user_id, first, last):
                self._take(hour_start(item), item)

    def _take(self, start: datetime, item: Item | None) -> None:
        try:
            self._hours[start] = hour_from_item(item) if item else Hour(start)
        except HourUnreadable:
            self._hours.pop(start, None)
            self._unreadable.add(start)

    def _write_changed(self) -> tuple[list[SaveStep], dict[datetime, Item | None]]:
        """The accepted writes, and the current items where a write was refused."""
        accepted: list[SaveStep] = []
        refused: dict[datetime, Item | None] = {}
        errors: list[Exception] = []
        failures = 0
        merged = list(self._merged())
        late = {
            each.hour.start: each.hour.version + 1
            for _, each in merged
            if is_late(each.hour.start, self.stored_at)
        }
        if late:
            self.announce_late(self.user_id, late)
        for before, fitted in merged:
            try:
                write = self.items.write(self.user_id, fitted.hour, fitted.text, self.cause)
            except Exception as error:  # noqa: BLE001 - it is raised after the other hours were tried.
                errors.append(error)
                failures += 1
                if failures == FAILURES_MAX:
                    break
                continue
            failures = 0
            if write.accepted:
                accepted.append(SaveStep(before, replace(fitted.hour, version=fitted.hour.version + 1)))
            else:
                refused[before.start] = write.item
        if errors:
            raise errors[0]
        return accepted, refused

    def _merged(self) -> Iterator[tuple[Hour, FittedHour]]:
        """The hours that change, before and after the merge."""
        records = [record for record in self.records if hour_of(_utc(record)) not in self._unreadable]
        merged = merge_hours(self._hours, records, fetched_at=self.fetched_at, stored_at=self.stored_at)
        self._full = {}
        for start, after in merged.items():
            before = self._hours.get(start, Hour(start))
            if after.readings == before.readings:
                continue
            fitted = fit(before, after)
            if fitted.refused:
                self._full[start] = fitted.refused
            if fitted.hour.readings != before.readings:
                yield before, replace(fitted, hour=with_write(before, fitted.hour, self.stored_at))


def _utc(record: Reading) -> datetime:
    return record.at.astimezone(UTC)


def _hours_around(records: Iterable[Reading]) -> set[datetime]:
    """The hours that contain the records or may contain a copy of one."""
    return {
        hour_of(_utc(record) + apart)
        for record in records
        for apart in (-CLOCKS_APART_MAX, timedelta(0), CLOCKS_APART_MAX)
    }


def _hours_beside_folded(steps: Iterable[SaveStep]) -> set[datetime]:
    return {
        step.after.start + beside for step in steps if _has_folded(step) for beside in (-HOUR, HOUR * 0, HOUR)
    }


def _has_folded(step: SaveStep) -> bool:
    return bool(hour_change(step.before, step.after).removed)


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
    apart = max(
        (abs(copy.at - stored.reading.at) for stored in step.after.readings for copy in stored.copies),
        default=timedelta(0),
    )
    by_ticks = max(apart, COPIES_APART_MAX)

    def is_near(reading: Reading) -> bool:
        if measurement_id(reading.device, reading.transmitter_ticks):
            reach = by_ticks
        elif reading.device.relay is not None:
            reach = RELAYED_APART_MAX
        else:
            return False
        return min(abs(reading.at - edge) for edge in edges) <= reach

    return any(is_near(stored.reading) for stored in step.after.readings if stored.reading.at not in known)
