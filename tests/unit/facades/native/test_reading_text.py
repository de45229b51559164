from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import repeat
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.clock import hour_of
from bg_ingest.facades.native.reading_text import Unit, as_json, csv_lines, json_array, ndjson_lines
from bg_ingest.readings.model import Device, Reading
from bg_ingest.readings.stored.stored_reading import HourColumns, StoredReading, to_columns
from tests.unit.readings.made_up import PHONE, QUICK, at, measured, wild_hours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bg_ingest.readings.stored.stored_reading import Hour

# docs/api.md, "Reading".
DOCUMENTED = {
    "timestamp": "2026-04-26T14:30:00Z",
    "glucose_mg_dl": 110,
    "trend": "flat",
    "trend_rate": 0.3,
    "status": None,
    "type": "cgm",
    "local_offset_minutes": -420,
    "stored_at": "2026-04-26T15:31:02Z",
    "revision": 0,
    "device": {"generation": "g7", "display": "iOS", "app": "G7"},
}


def documented() -> StoredReading:
    """The reading in docs/api.md."""
    reading = Reading(
        datetime(2026, 4, 26, 14, 30, tzinfo=UTC), 110, "flat", 0.3, local_offset_minutes=-420, device=PHONE
    )
    return StoredReading(reading, datetime(2026, 4, 26, 15, 31, 2, tzinfo=UTC))


def one_hour(readings: Sequence[StoredReading]) -> list[HourColumns]:
    """The columns of readings of one hour."""
    return [to_columns(hour_of(stored.reading.at), readings) for stored in readings[:1]]


def test_a_reading_is_rendered_as_documented() -> None:
    """Names, values and their order are those of docs/api.md."""
    assert list(as_json(documented()).items()) == list(DOCUMENTED.items())


def test_everything_optional_is_null() -> None:
    """A member without a value is null, not left out."""
    bare = as_json(replace(documented(), reading=Reading(at(5), 110)))

    assert bare.keys() == DOCUMENTED.keys()
    assert (bare["trend"], bare["trend_rate"], bare["local_offset_minutes"]) == (None, None, None)
    assert bare["device"] == {"generation": None, "display": None, "app": None}


def test_the_transmitter_is_not_served() -> None:
    """Its hash is not in the answers either."""
    assert "transmitter" not in json_array(one_hour([documented()]))


def test_mmol_l_is_added_beside_mg_dl() -> None:
    """The value in mmol/L follows the value in mg/dL."""
    value = as_json(documented(), "mmol/L")

    assert list(value)[:3] == ["timestamp", "glucose_mg_dl", "glucose_mmol_l"]
    assert value["glucose_mmol_l"] == 6.1


@QUICK
@given(wild_hours(), st.sampled_from(["mg/dL", "mmol/L"]), st.text(), st.sampled_from([1, 1.0, 0, -0.5]))
def test_all_forms_contain_the_same_readings(hour: Hour, unit: Unit, odd: str, rate: float) -> None:
    """JSON, NDJSON and CSV have the same readings in the same order, for any text of a provider."""
    device = Device(display=odd, app="G7")
    readings = [
        *hour.readings,
        *(
            replace(s, reading=replace(s.reading, trend=odd, trend_rate=rate, device=device))
            for s in hour.readings
        ),
    ]

    hours = one_hour(readings)

    values = json.loads(json_array(hours, unit))
    assert [json.loads(line) for line in ndjson_lines(hours, unit)] == values
    assert [value["trend"] for value in values] == [stored.reading.trend for stored in readings]
    assert [str(value["trend_rate"]) for value in values] == [str(s.reading.trend_rate) for s in readings]
    assert list(map(as_json, readings, repeat(unit))) == values
    rows = list(csv.DictReader(csv_lines(hours, unit)))
    assert [row["timestamp"] for row in rows] == [value["timestamp"] for value in values]
    assert [int(row["glucose_mg_dl"]) for row in rows] == [value["glucose_mg_dl"] for value in values]
    assert [row["device_generation"] or None for row in rows] == [
        value["device"]["generation"] for value in values
    ]


def test_csv_has_a_header_and_empty_fields_for_null() -> None:
    """The names are those of JSON, with the device in three columns."""
    rest = "trend,trend_rate,status,type,local_offset_minutes,stored_at,revision"
    rest += ",device_generation,device_display,device_app"
    lines = list(csv_lines(one_hour([documented()]), "mmol/L"))

    assert lines == [
        f"timestamp,glucose_mg_dl,glucose_mmol_l,{rest}\r\n",
        "2026-04-26T14:30:00Z,110,6.1,flat,0.3,,cgm,-420,2026-04-26T15:31:02Z,0,g7,iOS,G7\r\n",
    ]
    assert list(csv_lines([])) == [f"timestamp,glucose_mg_dl,{rest}\r\n"]


def test_csv_disarms_formulas() -> None:
    """A spreadsheet shows a device name that begins with = as text."""
    hostile = StoredReading(measured(at(5), device=Device(display="=1+1", app='a","b')), at(6))
    (row,) = csv.DictReader(csv_lines(one_hour([hostile])))

    assert (row["device_display"], row["device_app"]) == ("'=1+1", 'a","b')
