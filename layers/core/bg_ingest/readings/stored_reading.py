"""A reading as it is kept: what is served, what it was before, and who else reported it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bg_ingest.readings.model import Device, Reading

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Version:
    """What a reading said from one fetch on; replaced when a later fetch said something else."""

    reading: Reading
    fetched_at: datetime
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class Copy:
    """Another record of the same measurement: it was counted as a duplicate, and only this is known of it."""

    device: Device
    at: datetime
    transmitter_ticks: int | None


@dataclass(frozen=True, slots=True)
class StoredReading:
    """
    One measurement: the newest version, and beside it everything that is not served.

    `reading.at`, `reading.device` and `reading.transmitter_ticks` are those of the record that was stored
    first and never change afterwards: nobody who was shown a reading finds it moved.
    """

    reading: Reading
    stored_at: datetime  # When this version was; whole seconds.
    revision: int = 0  # How many versions came before it.
    earlier: tuple[Version, ...] = ()  # Oldest fetch first.
    fetched_at: datetime = LONG_AGO  # When the provider was asked; any real fetch is newer than the default.
    copies: tuple[Copy, ...] = ()

    @property
    def first_stored_at(self) -> datetime:
        """When the measurement became known here, in whatever version."""
        return min(version.stored_at for version in self.versions)

    @property
    def versions(self) -> tuple[Version, ...]:
        """Every version that is kept, the served one last."""
        return (*self.earlier, Version(self.reading, self.fetched_at, self.stored_at))
