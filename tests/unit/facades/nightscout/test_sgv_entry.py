"""Entries: each row of the table of fields, and the formats."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bg_ingest.facades.nightscout import entry_text
from bg_ingest.facades.nightscout.sgv_entry import DIRECTIONS, direction_of, entries_of, instant_of_id
from bg_ingest.readings.model import Device, Reading
from bg_ingest.readings.stored.stored_reading import HourColumns, StoredReading, to_columns

HOUR = datetime(2023, 9, 1, 0, tzinfo=UTC)


def _hour(*readings: Reading) -> HourColumns:
    stored = [
        StoredReading(reading=reading, stored_at=reading.at, revision=0, fetched_at=reading.at)
        for reading in readings
    ]
    return to_columns(HOUR, stored).part(slice(None, None, -1))


def _reading(minute: float, mg_dl: int = 124, **fields: Any) -> Reading:
    return Reading(HOUR + timedelta(minutes=minute), mg_dl, **fields)


def _entries(*readings: Reading) -> list[dict[str, Any]]:
    return list(entries_of("made-up", [_hour(*readings)]))


def test_an_entry_has_each_field_in_its_type() -> None:
    """Names, values and types are those that clients rely on."""
    device = Device("g7", "iOS", "G7")
    newest, older = _entries(
        _reading(0, 119, trend="flat"),
        _reading(5, 124, trend="flat", local_offset_minutes=-420, device=device),
    )

    assert re.fullmatch("[0-9a-f]{24}", newest.pop("_id"))
    assert re.fullmatch(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", newest.pop("identifier"))
    assert newest == {
        "type": "sgv",
        "sgv": 124,
        "date": 1_693_526_700_000,
        "dateString": "2023-09-01T00:05:00.000Z",
        "sysTime": "2023-09-01T00:05:00.000Z",
        "utcOffset": -420,
        "mills": 1_693_526_700_000,
        "direction": "Flat",
        "trend": 4,
        "delta": 5,
        "device": "G7",
        "noise": 1,
        "filtered": 0,
        "unfiltered": 0,
        "rssi": 100,
    }
    assert all(type(newest[name]) is int for name in ("sgv", "date", "trend", "noise", "rssi", "utcOffset"))
    assert (older["delta"], older["utcOffset"]) == (0, 0)


def test_an_id_is_stable_unique_and_leads_to_its_instant() -> None:
    """The same reading of the same user has the same id, also after a revision."""
    one, again = _entries(_reading(7, 100)), _entries(_reading(7, 180))
    (other,) = entries_of("other", [_hour(_reading(7, 100))])

    assert one[0]["_id"] == again[0]["_id"] != other["_id"]
    assert instant_of_id(one[0]["_id"]) == HOUR + timedelta(minutes=7)


@pytest.mark.parametrize(
    ("trend", "direction"),
    [
        ("doubleUp", "DoubleUp"),
        ("singleUp", "SingleUp"),
        ("fortyFiveUp", "FortyFiveUp"),
        ("flat", "Flat"),
        ("fortyFiveDown", "FortyFiveDown"),
        ("singleDown", "SingleDown"),
        ("doubleDown", "DoubleDown"),
        ("none", "NONE"),
        (None, "NONE"),
        ("notComputable", "NOT COMPUTABLE"),
        ("unknown", "NOT COMPUTABLE"),
        ("a new word", "NOT COMPUTABLE"),
        ("rateOutOfRange", "RATE OUT OF RANGE"),
        ("FortyFiveUp", "FortyFiveUp"),
        ("NOT COMPUTABLE", "NOT COMPUTABLE"),
    ],
)
def test_each_trend_has_its_direction(trend: str | None, direction: str) -> None:
    """Spellings of other providers are recognised by their letters."""
    assert DIRECTIONS[direction_of(trend)] == direction


def test_low_and_high_values_are_those_that_clients_show() -> None:
    """39 is LOW and 401 is HIGH, for every value that the provider sent with the status."""
    found = _entries(
        _reading(0, 39, status="low"), _reading(5, 38, status="low"), _reading(10, 400, status="high")
    )

    assert [entry["sgv"] for entry in found] == [401, 39, 39]


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(5, 6), (10, 3), (4, 7.5), (15, 2), (15.1, 0), (3, 10), (7, 4.286)],
)
def test_delta_is_per_five_minutes_and_always_a_number(minutes: float, expected: float) -> None:
    """Readings more than a quarter of an hour apart have no known change."""
    newest, _ = _entries(_reading(0, 100), _reading(minutes, 106))

    assert newest["delta"] == expected


def test_delta_crosses_the_border_of_an_hour() -> None:
    """The reading before may be in the hour before."""
    before = to_columns(
        HOUR - timedelta(hours=1),
        [
            StoredReading(
                reading=Reading(HOUR - timedelta(minutes=5), 90),
                stored_at=HOUR,
                revision=0,
                fetched_at=HOUR,
            )
        ],
    )
    newest, _ = entries_of("made-up", [_hour(_reading(0, 100)), before])

    assert newest["delta"] == 10


def test_only_readings_of_a_sensor_are_entries() -> None:
    """Manual values and calibrations are not."""
    kinds = _entries(_reading(0), _reading(1, kind="manual"), _reading(2, kind="calibration"))

    assert len(kinds) == 1


def test_lines_have_five_columns_and_no_header() -> None:
    """Texts are quoted as in JSON, and lines end as in Nightscout."""
    found = _entries(_reading(0, 119, trend="flat"), _reading(5, 124))

    assert entry_text.rendered(found, entry_text.TEXT, 9_999) == (
        '"2023-09-01T00:05:00.000Z"\t1693526700000\t124\t"NONE"\t"CGM"\r\n'
        '"2023-09-01T00:00:00.000Z"\t1693526400000\t119\t"Flat"\t"CGM"'
    )
    assert entry_text.rendered(found[:1], entry_text.CSV, 9_999) == (
        '"2023-09-01T00:05:00.000Z",1693526700000,124,"NONE","CGM"'
    )
    assert entry_text.rendered([], entry_text.TSV, 9_999) == ""


def test_a_large_response_loses_fields_before_entries() -> None:
    """The newest entries stay, and each has the fields that clients need."""
    found = _entries(*[_reading(minute, 100) for minute in range(60)])
    whole = json.loads(entry_text.rendered(found, entry_text.JSON, 100_000))
    slim = json.loads(entry_text.rendered(found, entry_text.JSON, 16_000))
    cut = json.loads(entry_text.rendered(found, entry_text.JSON, 5_000))

    assert whole == found
    assert len(slim) == 60
    assert {"_id", "type", "sgv", "date", "dateString", "direction", "delta", "device"} == slim[0].keys()
    assert 0 < len(cut) < 60
    assert [entry["_id"] for entry in cut] == [entry["_id"] for entry in found[: len(cut)]]
