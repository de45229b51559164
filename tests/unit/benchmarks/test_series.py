from __future__ import annotations

from benchmarks.series import readings_of
from bg_ingest.readings.merging.hour import merge_hours
from bg_ingest.utc import hour_of
from tests.support.fakes import NOON


def test_every_reading_is_a_measurement_of_its_own() -> None:
    """A benchmark of fewer readings than it says would look cheap: merging loses none of them."""
    given = readings_of(NOON, 25)
    hours = merge_hours({}, given, fetched_at=NOON, stored_at=NOON)

    assert sum(len(hour.readings) for hour in hours.values()) == len(given) == 25 * 288
    assert len({hour_of(reading.at) for reading in given}) == len(hours) == 25 * 24


def test_every_run_measures_the_same_readings() -> None:
    """Two runs can be compared."""
    assert readings_of(NOON, 2) == readings_of(NOON, 2)


def test_several_sensors_were_worn() -> None:
    """A year on one transmitter would be stored in less space than anybody's."""
    assert len({reading.device.transmitter for reading in readings_of(NOON, 25)}) == 3
