"""Stored readings as objects and as columns, their hour, and what a write changes and records in it."""

# Merging needs an object per reading, with its versions and copies: StoredReading. A page has a thousand
# readings or more. An object for each would cost more than parsing the stored text and writing the answer
# together, so the served fields of an hour are read as columns: HourColumns.

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from bg_ingest.readings.model import Columns, served_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bg_ingest.readings.model import Device, Reading


LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
# A provider that changes a value in every answer must not fill its hour. The first versions and the newest
# are kept, and `revision` counts all of them. If many readings have versions, the writer keeps fewer of each.
EARLIER_MAX = 31
# A write to an hour further away than this is announced in the late log. Readers watch twice as many hours,
# so the clocks of writers and readers may differ by as much.
LATE_AFTER = timedelta(hours=24)
# An hour with more writes forgets the oldest times. A reader that is further behind gets the whole hour.
WRITES_MAX = 48
FOLDED_MAX = 16


@dataclass(frozen=True, slots=True)
class Version:
    """What a reading said from one fetch on. A later fetch with other content adds another version."""

    reading: Reading
    fetched_at: datetime
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class Copy:
    """Another record of the same measurement. It counts as a duplicate, and only these fields are kept."""

    device: Device
    at: datetime
    transmitter_ticks: int | None


@dataclass(frozen=True, slots=True)
class StoredReading:
    """
    One measurement: its newest version, which is served, and its history, which is not.

    `reading.at`, `reading.device` and `reading.transmitter_ticks` are those of the record that was stored
    first. The instant never changes, so a reading that a caller has seen never moves. Device and ticks change
    once at most: when the sensor's own provider sends what a relay has passed on before.
    """

    reading: Reading
    stored_at: datetime  # The time at which this version was stored, in whole seconds.
    revision: int = 0  # The number of earlier versions, kept or dropped.
    earlier: tuple[Version, ...] = ()  # Oldest fetch first. Dropped ones lie between them and the newest.
    fetched_at: datetime = LONG_AGO  # The time of the request to the provider. Any real fetch is newer.
    copies: tuple[Copy, ...] = ()

    @property
    def first_stored_at(self) -> datetime:
        """The time at which the measurement was first stored, in any version."""
        return min(version.stored_at for version in self.versions)

    @property
    def dropped(self) -> int:
        """The number of earlier versions that are not kept."""
        return self.revision - len(self.earlier)

    @property
    def relayed_versions(self) -> int:
        """The number of the first versions that were relayed, if the served one is not."""
        if not self.earlier or self.reading.device.relay is not None:
            return 0
        return sum(version.reading.device.relay is not None for version in self.earlier)

    @property
    def versions(self) -> tuple[Version, ...]:
        """All versions, the served one last."""
        return (*self.earlier, Version(self.reading, self.fetched_at, self.stored_at))

    def restricted(self, known: Sequence[Version]) -> StoredReading:
        """The reading when it had some of its versions only, at least one."""
        *earlier, newest = known
        # When a dropped version was stored is not known. It counts as soon as the newest one does.
        dropped = self.dropped if newest == self.versions[-1] else 0
        return replace(
            self,
            reading=newest.reading,
            stored_at=newest.stored_at,
            revision=len(earlier) + dropped,
            earlier=tuple(earlier),
            fetched_at=newest.fetched_at,
        )


@dataclass(frozen=True, slots=True)
class Removal:
    """A reading that its provider has deleted. It is no longer served, and kept as it was."""

    stored: StoredReading
    noticed_at: datetime  # The time of the request whose answer said so.
    removed_at: datetime  # The time at which it was removed here, in whole seconds.


@dataclass(frozen=True, slots=True)
class FoldedReading:
    """A reading that became the copy of another one, as it was."""

    stored: StoredReading
    removed_at: datetime


@dataclass(frozen=True, slots=True)
class Hour:
    """The readings of `[start, start + 1 h)`, oldest first. `version` counts the writes of the hour."""

    start: datetime
    readings: tuple[StoredReading, ...] = ()
    version: int = 0  # 0: not stored yet.
    removals: tuple[Removal, ...] = ()  # Oldest reading first.
    # For the feed of changes; see `with_write`.
    writes: tuple[datetime, ...] = ()  # The storage times of the last writes, in the order of the writes.
    folded: tuple[FoldedReading, ...] = ()


@dataclass(frozen=True, slots=True)
class Revision:
    """A reading before and after other content was stored for it."""

    now: StoredReading
    before: StoredReading

    @property
    def added(self) -> tuple[Version, ...]:
        """The versions that are new."""
        known = set(self.before.versions)
        return tuple(version for version in self.now.versions if version not in known)


@dataclass(frozen=True, slots=True)
class HourChange:
    """What one write changed in an hour. Each part is oldest first."""

    start: datetime
    stored: tuple[StoredReading, ...] = ()
    revised: tuple[Revision, ...] = ()
    removed: tuple[StoredReading, ...] = ()  # They became another reading's copy.
    deleted: tuple[StoredReading, ...] = ()  # The provider deleted them.


def hour_change(before: Hour, after: Hour) -> HourChange:
    """
    The readings that were stored, revised and removed between two states.

    A new copy does not count. A version that is no longer kept does not count either.
    """
    known = {stored.reading.at: stored for stored in before.readings}
    deleted = {removal.stored.reading.at for removal in set(after.removals) - set(before.removals)}
    remaining = {stored.reading.at for stored in after.readings}
    gone = [stored for stored in before.readings if stored.reading.at not in remaining]
    return HourChange(
        after.start,
        stored=tuple(stored for stored in after.readings if stored.reading.at not in known),
        revised=tuple(
            Revision(stored, was)
            for stored in after.readings
            if (was := known.get(stored.reading.at)) and _has_new_version(was, stored)
        ),
        removed=tuple(stored for stored in gone if stored.reading.at not in deleted),
        deleted=tuple(stored for stored in gone if stored.reading.at in deleted),
    )


def is_late(start: datetime, stored_at: datetime) -> bool:
    """Whether a write at that time to the hour that begins at `start` is announced."""
    return abs(stored_at - start) > LATE_AFTER


def with_write(before: Hour, after: Hour, stored_at: datetime) -> Hour:
    """
    The hour that is about to be written, with this write recorded, so that readers find what is new.

    Each write adds its storage time to `writes`. A save has one storage time, and all versions that it adds
    have the same. So the times of the writes after version 7 select the readings that changed after it:

        version    7          8          9
        writes     09:01:12   09:16:10   09:31:11
        reading    05:00 stored 09:01:12      05:05 stored 09:16:10      05:10 stored 09:31:11

    The numbers of the writes are those of DynamoDB's condition, so their order is that of the writes, also if
    the clocks of the writers differ. If two writes of one hour have the same second, their readings count as
    changed by both. A reading that was folded into another one is recorded too, as it was. A removal records
    itself.
    """
    stored_at = stored_at.replace(microsecond=0)
    folded = [FoldedReading(stored, stored_at) for stored in hour_change(before, after).removed]
    return replace(
        after,
        writes=(*after.writes, stored_at)[-WRITES_MAX:],
        folded=(*after.folded, *folded)[-FOLDED_MAX:],
    )


def _has_new_version(was: StoredReading, now: StoredReading) -> bool:
    return was.versions != now.versions and not set(now.versions) <= set(was.versions)


Value = TypeVar("Value")

_SECOND = timedelta(seconds=1)


class SharedValue(Sequence[Value], Generic[Value]):
    """A column in which all readings have one value: it is stored once, kept once and rendered once."""

    __slots__ = ("_length", "value")

    def __init__(self, value: Value, length: int) -> None:
        self.value = value
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Value]:
        return repeat(self.value, self._length)

    @overload
    def __getitem__(self, which: int) -> Value: ...
    @overload
    def __getitem__(self, which: slice) -> SharedValue[Value]: ...
    def __getitem__(self, which: int | slice) -> Value | SharedValue[Value]:
        places = range(self._length)[which]  # As a list: an index out of range is an IndexError.
        return self.value if isinstance(places, int) else SharedValue(self.value, len(places))

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, list | SharedValue) else NotImplemented

    __hash__ = None  # type: ignore[assignment] # As a list.

    def __repr__(self) -> str:
        return f"SharedValue({self._length} times)"  # Without the value: it may be health data.


@dataclass(frozen=True, slots=True)
class HourColumns:
    """All readings of one UTC hour, or some of them."""

    start: datetime
    columns: Columns

    def __len__(self) -> int:
        return len(self.columns.seconds)

    @property
    def instants(self) -> list[datetime]:
        """The instant of each reading."""
        return [self.start + timedelta(0, second) for second in self.columns.seconds]

    @property
    def own_instants(self) -> list[datetime]:
        """The instant of each reading that was not relayed."""
        devices = self.columns.device
        if isinstance(devices, SharedValue):
            return self.instants if len(devices) and devices.value.relay is None else []
        return [at for at, device in zip(self.instants, devices, strict=True) if device.relay is None]

    def within(self, start: datetime, end: datetime) -> HourColumns:
        """The readings of `[start, end)`. These columns must be oldest first."""
        seconds = self.columns.seconds
        first = bisect_left(seconds, (start - self.start) / _SECOND)
        last = bisect_left(seconds, (end - self.start) / _SECOND)
        return self if last - first == len(self) else self.part(slice(first, last))

    def part(self, which: slice) -> HourColumns:
        """The readings that the slice selects, in the order of the slice."""
        return replace(self, columns=Columns._make(column[which] for column in self.columns))


def to_columns(start: datetime, readings: Sequence[StoredReading]) -> HourColumns:
    """The columns of readings that all lie in the hour that begins at `start`."""
    if not readings:
        return HourColumns(start, Columns._make([] for _ in Columns._fields))
    instants, *columns = map(list, zip(*map(served_values, readings), strict=True))
    seconds = [(instant - start) // _SECOND for instant in instants]
    return HourColumns(start, Columns._make([seconds, *columns]))
