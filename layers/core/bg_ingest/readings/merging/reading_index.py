"""
The readings at hand while records are merged into them, and which of them a record belongs to.

A record that was placed once is placed on the same reading for ever, however much arrives in between:
what the later rules decided is noted, and the first rule finds it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bg_ingest.readings.merging.identity import COPIES_APART_MAX, MeasurementId, copy_order, measurement_id
from bg_ingest.readings.stored_reading import Copy, StoredReading

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from bg_ingest.readings.model import Reading

# One phone and one receiver are usual. Beyond this many a copy still counts once, it is only not noted.
COPIES_MAX = 8


class ReadingIndex:
    """Readings by instant, findable by any record of them."""

    def __init__(self, readings: Iterable[StoredReading]) -> None:
        self._readings: dict[datetime, StoredReading] = {}
        self._named: dict[MeasurementId, list[datetime]] = {}
        self._noted: dict[tuple[datetime, MeasurementId | None], datetime] = {}
        self._copied_at: dict[datetime, datetime] = {}
        for stored in sorted(readings, key=lambda stored: stored.reading.at):
            self._add_or_fold(stored)

    def __getitem__(self, at: datetime) -> StoredReading:
        return self._readings[at]

    def readings(self) -> list[StoredReading]:
        """All of them, by instant."""
        return [self._readings[at] for at in sorted(self._readings)]

    def add(self, stored: StoredReading) -> None:
        """Put a reading where there was none."""
        at = stored.reading.at
        self._readings[at] = stored
        name = measurement_id(stored.reading.device, stored.reading.transmitter_ticks)
        if name:
            self._named.setdefault(name, []).append(at)
        for copy in stored.copies:
            self._remember(copy, at)

    def replace(self, stored: StoredReading) -> None:
        """Put a newer form of a reading in its place."""
        self._readings[stored.reading.at] = stored

    def place_of(self, record: Reading) -> datetime | None:
        """The instant of the reading this record belongs to; None when it is the first of its measurement."""
        name = measurement_id(record.device, record.transmitter_ticks)
        noted = self._noted.get((record.at, name))
        if noted:
            return noted
        near = self._named_near(name, record.at)
        if near:
            return min(near, key=lambda at: (abs(at - record.at), at))
        if record.at in self._readings:
            return record.at
        # Only a record that cannot say which measurement it is may take a copy's instant for an answer.
        return None if name else self._copied_at.get(record.at)

    def note(self, at: datetime, copy: Copy) -> None:
        """Remember on the reading at `at` that this record of it exists too."""
        stored = self._readings[at]
        own = Copy(stored.reading.device, at, stored.reading.transmitter_ticks)
        if copy == own or copy in stored.copies or len(stored.copies) >= COPIES_MAX:
            return
        self.replace(replace(stored, copies=tuple(sorted((*stored.copies, copy), key=copy_order))))
        self._remember(copy, at)

    def _remember(self, copy: Copy, at: datetime) -> None:
        self._noted.setdefault((copy.at, measurement_id(copy.device, copy.transmitter_ticks)), at)
        self._copied_at.setdefault(copy.at, at)

    def _named_near(self, name: MeasurementId | None, instant: datetime) -> list[datetime]:
        if name is None:
            return []
        return [at for at in self._named.get(name, ()) if abs(at - instant) <= COPIES_APART_MAX]

    def _add_or_fold(self, stored: StoredReading) -> None:
        # Two writers at once can store one measurement on both sides of a full hour, in two items, where
        # neither write can see the other. The earlier instant stays, the other becomes a copy of it.
        reading = stored.reading
        name = measurement_id(reading.device, reading.transmitter_ticks)
        twins = self._named_near(name, reading.at)
        if not twins:
            self.add(stored)
            return
        for copy in (Copy(reading.device, reading.at, reading.transmitter_ticks), *stored.copies):
            self.note(twins[0], copy)
