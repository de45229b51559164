from __future__ import annotations

from benchmarks.series import readings_of
from bg_ingest.clock import hour_of
from bg_ingest.readings.merging.hour import merge_hours
from tests.support.fakes import NOON


def test_every_reading_is_a_separate_measurement() -> None:
    """No reading is merged with another, since fewer readings would look cheaper."""
    given = readings_of(NOON, 25)
    hours = merge_hours({}, given, fetched_at=NOON, stored_at=NOON)

    assert sum(len(hour.readings) for hour in hours.values()) == len(given) == 25 * 288
    assert len({hour_of(reading.at) for reading in given}) == len(hours) == 25 * 24


def test_every_run_measures_the_same_readings() -> None:
    """The same series makes two runs comparable."""
    assert readings_of(NOON, 2) == readings_of(NOON, 2)


def test_the_series_has_several_sensors() -> None:
    """A year on one transmitter would take less storage than a real user's."""
    assert len({reading.device.transmitter for reading in readings_of(NOON, 25)}) == 3
