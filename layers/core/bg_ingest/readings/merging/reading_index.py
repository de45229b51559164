"""
An index that finds the reading to which a record belongs, while records are merged.

A record that was placed once is always placed on the same reading, also if other records were stored in
between. The index remembers the placement as a copy on the reading, and looks for copies first.
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

# One phone and one receiver are usual. Further copies still count as duplicates, but are not noted.
COPIES_MAX = 8


class ReadingIndex:
    """Readings by instant, and by each record of them."""

    def __init__(self, readings: Iterable[StoredReading]) -> None:
        self._readings: dict[datetime, StoredReading] = {}
        self._by_measurement: dict[MeasurementId, list[datetime]] = {}
        self._by_copy: dict[tuple[datetime, MeasurementId | None], datetime] = {}
        self._by_copy_instant: dict[datetime, datetime] = {}
        for stored in sorted(readings, key=lambda stored: stored.reading.at):
            self._add_or_fold(stored)

    def __getitem__(self, at: datetime) -> StoredReading:
        return self._readings[at]

    def readings(self) -> list[StoredReading]:
        """All readings, oldest first."""
        return [self._readings[at] for at in sorted(self._readings)]

    def add(self, stored: StoredReading) -> None:
        """Add a reading at an instant that has none."""
        at = stored.reading.at
        self._readings[at] = stored
        measurement = measurement_id(stored.reading.device, stored.reading.transmitter_ticks)
        if measurement:
            self._by_measurement.setdefault(measurement, []).append(at)
        for copy in stored.copies:
            self._remember(copy, at)

    def replace(self, stored: StoredReading) -> None:
        """Replace the reading at the same instant."""
        self._readings[stored.reading.at] = stored

    def place_of(self, record: Reading) -> datetime | None:
        """The instant of the reading to which the record belongs; None if its measurement is new."""
        measurement = measurement_id(record.device, record.transmitter_ticks)
        noted = self._by_copy.get((record.at, measurement))
        if noted:
            return noted
        near = self._near(measurement, record.at)
        if near:
            return min(near, key=lambda at: (abs(at - record.at), at))
        if record.at in self._readings:
            return record.at
        # A record without a measurement id can only be matched by its instant, also with a copy's. A record
        # with an id belongs to another measurement than that copy, or it would have been found above.
        return None if measurement else self._by_copy_instant.get(record.at)

    def note(self, at: datetime, copy: Copy) -> None:
        """Note on the reading at `at` that this copy exists, unless it is the reading's own record."""
        stored = self._readings[at]
        own = Copy(stored.reading.device, at, stored.reading.transmitter_ticks)
        if copy == own or copy in stored.copies or len(stored.copies) >= COPIES_MAX:
            return
        self.replace(replace(stored, copies=tuple(sorted((*stored.copies, copy), key=copy_order))))
        self._remember(copy, at)

    def _remember(self, copy: Copy, at: datetime) -> None:
        self._by_copy.setdefault((copy.at, measurement_id(copy.device, copy.transmitter_ticks)), at)
        self._by_copy_instant.setdefault(copy.at, at)

    def _near(self, measurement: MeasurementId | None, instant: datetime) -> list[datetime]:
        if measurement is None:
            return []
        return [
            at for at in self._by_measurement.get(measurement, ()) if abs(at - instant) <= COPIES_APART_MAX
        ]

    def _add_or_fold(self, stored: StoredReading) -> None:
        # Two concurrent writers can store one measurement twice: on both sides of a full hour, in two items,
        # neither of which shows the other. The earlier instant stays, and the later reading becomes its copy.
        reading = stored.reading
        twins = self._near(measurement_id(reading.device, reading.transmitter_ticks), reading.at)
        if not twins:
            self.add(stored)
            return
        for copy in (Copy(reading.device, reading.at, reading.transmitter_ticks), *stored.copies):
            self.note(twins[0], copy)
