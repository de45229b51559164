"""Stored readings: their versions, their copies, their hour, and what a write changed in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bg_ingest.readings.model import Device, Reading

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


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
    first. They never change, so a reading that a caller has seen never moves.
    """

    reading: Reading
    stored_at: datetime  # The time at which this version was stored, in whole seconds.
    revision: int = 0  # The number of earlier versions.
    earlier: tuple[Version, ...] = ()  # Oldest fetch first.
    fetched_at: datetime = LONG_AGO  # The time of the request to the provider. Any real fetch is newer.
    copies: tuple[Copy, ...] = ()

    @property
    def first_stored_at(self) -> datetime:
        """The time at which the measurement was first stored, in any version."""
        return min(version.stored_at for version in self.versions)

    @property
    def versions(self) -> tuple[Version, ...]:
        """All versions, the served one last."""
        return (*self.earlier, Version(self.reading, self.fetched_at, self.stored_at))


@dataclass(frozen=True, slots=True)
class Hour:
    """The readings of `[start, start + 1 h)`, oldest first. `version` counts the writes of the hour."""

    start: datetime
    readings: tuple[StoredReading, ...] = ()
    version: int = 0  # 0: not stored yet.


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
    removed: tuple[StoredReading, ...] = ()


def hour_change(before: Hour, after: Hour) -> HourChange:
    """The readings that were stored, revised and removed between two states. A new copy does not count."""
    known = {stored.reading.at: stored for stored in before.readings}
    remaining = {stored.reading.at for stored in after.readings}
    return HourChange(
        after.start,
        stored=tuple(stored for stored in after.readings if stored.reading.at not in known),
        revised=tuple(
            Revision(stored, was)
            for stored in after.readings
            if (was := known.get(stored.reading.at)) and was.versions != stored.versions
        ),
        removed=tuple(stored for stored in before.readings if stored.reading.at not in remaining),
    )
