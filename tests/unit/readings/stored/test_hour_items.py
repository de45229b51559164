from __future__ import annotations

import json
import math
from dataclasses import astuple, replace
from datetime import timedelta
from types import NoneType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bg_ingest.readings.model import Device, Reading
from bg_ingest.readings.stored.hour_items import COLUMN_READERS, READERS, HourUnreadable, read_text
from bg_ingest.readings.stored.stored_reading import (
    Copy,
    Hour,
    HourColumns,
    StoredReading,
    Version,
    to_columns,
)
from bg_ingest.readings.stored.writer import to_text
from tests.unit.readings.made_up import (
    FIVE,
    LATER,
    MINUTE,
    PHONE,
    QUICK,
    RECEIVER,
    SIX,
    at,
    measured,
    merged,
    realistic,
    wild_hours,
)

# Written by the first release. It never changes, because tables contain such hours.
FORMAT_1 = """
{"format":1,"transmitters":["5c8d"],"devices":[["g7","iOS","G7",0],["g7","receiver",null,0]],
 "trends":["flat","fortyFiveUp"],"saves":[[4501,4500.123],[5401,5400.124]],
 "at":[11,313,3599],"mg_dl":[116,39,127],"trend":[0,null,1],"rate":[2.1,null,0.0],"status":[null,"low",null],
 "offset":-420,"device":0,"start_ticks":85274,"drift":[0,-2,null],"save":[0,0,1],
 "ids":"LKtw7tOzWjSaqZp2dRO3KgAAAAAAAEAAgAAAAAAAAAD/////////////////////",
 "earlier":{"2":[[126,0,0.3,null,-420,"first",0]]},"copies":{"0":[[1,4]],"1":[[1,5,85600]]}}
"""


def read_readings(text: str) -> tuple[StoredReading, ...]:
    """The readings of an hour that begins at FIVE."""
    return read_text(READERS, FIVE, text)


def read_columns(text: str) -> HourColumns:
    """The columns of an hour that begins at FIVE."""
    return read_text(COLUMN_READERS, FIVE, text)


def test_the_first_release_of_format_1_stays_readable() -> None:
    """The text of the first release gives the same readings as then."""
    first, low, last = read_readings(FORMAT_1)

    phone, receiver = Device("g7", "iOS", "G7", "5c8d"), Device("g7", "receiver", None, "5c8d")
    hour_later = FIVE + timedelta(seconds=4501)
    fetched = FIVE + timedelta(seconds=4500, milliseconds=123)
    ids = [
        "2cab70ee-d3b3-5a34-9aa9-9a767513b72a",
        "00000000-0000-4000-8000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ]
    assert first == StoredReading(
        Reading(at(0, 11), 116, "flat", 2.1, None, "cgm", ids[0], -420, 85285, phone),
        hour_later,
        0,
        (),
        fetched,
        (Copy(receiver, at(0, 15), 85285),),
    )
    assert low == StoredReading(
        Reading(at(5, 13), 39, None, None, "low", "cgm", ids[1], -420, 85585, phone),
        hour_later,
        0,
        (),
        fetched,
        (Copy(receiver, at(5, 18), 85600),),
    )
    revised = Reading(at(59, 59), 127, "fortyFiveUp", 0.0, None, "cgm", ids[2], -420, None, phone)
    was = replace(revised, mg_dl=126, trend="flat", trend_rate=0.3, record_id="first")
    assert last == StoredReading(
        revised,
        FIVE + timedelta(seconds=5401),
        1,
        (Version(was, fetched, hour_later),),
        FIVE + timedelta(seconds=5400, milliseconds=124),
    )


def test_no_reader_is_ever_removed() -> None:
    """Each released format has a reader for its readings and one for its columns."""
    assert set(READERS) == set(COLUMN_READERS) >= {1}


@QUICK
@given(wild_hours())
def test_a_written_hour_is_read_back(hour: Hour) -> None:
    """For any hour that merging can produce."""
    assert read_readings(to_text(FIVE, hour.readings)) == hour.readings


@QUICK
@given(wild_hours())
def test_columns_are_those_of_the_readings(hour: Hour) -> None:
    """Reading columns directly gives the same as reading the readings first."""
    assert read_columns(to_text(FIVE, hour.readings)) == to_columns(FIVE, hour.readings)


def test_columns_of_format_1() -> None:
    """The text of the first release as columns."""
    assert read_columns(FORMAT_1) == to_columns(FIVE, read_readings(FORMAT_1))
    assert read_columns(FORMAT_1).columns.revision == [0, 0, 1]


@QUICK
@example(1001)  # 1.001 * 1000 is a little less than 1001.
@given(st.integers(-(10**6), 10**11))
def test_the_time_of_a_fetch_is_read_back(fetched_ms: int) -> None:
    """To the millisecond, also if the fetch was years after the hour."""
    fetched_at = FIVE + timedelta(milliseconds=fetched_ms)
    hour = merged(Hour(FIVE), [measured(at(5))], fetched_at)

    assert read_readings(to_text(FIVE, hour.readings)) == hour.readings


@QUICK
@example(["2cab70ee-d3b4-5a34-9aa9-767513ab72bd and more"])
@example(["2CAB70EE-D3B4-5A34-9AA9-767513AB72BD"])
@given(st.lists(st.one_of(st.none(), st.uuids().map(str), st.text(max_size=40)), max_size=4))
def test_record_ids_are_read_back(ids: list[str | None]) -> None:
    """UUIDs are packed into bytes, and other ids are kept as texts."""
    records = [replace(measured(at(5 * n)), record_id=record_id) for n, record_id in enumerate(ids)]
    hour = merged(Hour(FIVE), records)

    assert [s.reading.record_id for s in read_readings(to_text(FIVE, hour.readings))] == ids


@pytest.mark.parametrize("transmitter", ["5c8d", None])
def test_an_hour_with_two_devices_and_a_new_sensor(transmitter: str | None) -> None:
    """Devices and ticks can change within the hour."""
    phone = replace(PHONE, transmitter=transmitter)
    records = [
        measured(at(5), device=phone, ticks=9_000_000),
        measured(at(5, 3), device=RECEIVER, ticks=9_000_000),
        measured(at(30), device=phone, ticks=12),
        replace(measured(at(35), device=phone), transmitter_ticks=None),
    ]
    hour = merged(Hour(FIVE), records)

    assert read_readings(to_text(FIVE, hour.readings)) == hour.readings


DAMAGES: list[object] = [
    None,
    float("nan"),
    float("inf"),
    -1,
    99,
    2.5,
    True,
    "x",
    10**30,
    [],
    {},
    [None],
    [[]],
    ["7", 8, 9],
    {"9": [[]]},
]

HOSTILE = [
    "",
    "null",
    "[]",
    "1",
    "{}",
    "not JSON",
    "[" * 100_000,
    '{"format":2,"at":[]}',
    '{"format":"1","at":[]}',
    '{"format":[1],"at":[]}',
    '{"format":1}',
    '{"format":1,"at":3}',
    '{"format":1,"at":["a"]}',
    '{"format":1,"at":[3600],"mg_dl":1,"device":0,"devices":[[null,null,null,null]],"save":0,"saves":[[0,0]]}',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_an_invalid_text_raises_hour_unreadable(text: str) -> None:
    """Both readers raise the same exception."""
    with pytest.raises(HourUnreadable):
        read_readings(text)
    with pytest.raises(HourUnreadable):
        read_columns(text)


def test_the_exception_contains_no_value() -> None:
    """A value of the hour cannot get into a log through the exception."""
    with pytest.raises(HourUnreadable) as unreadable:
        read_readings(FORMAT_1.replace("116", '"116"'))

    assert str(unreadable.value) == "the hour is not valid in format 1"
    assert unreadable.value.__suppress_context__


def _damaged(draw: Any, value: Any) -> Any:
    """The value with one member, at any depth, replaced or missing."""
    members: Any = ()
    if isinstance(value, dict):
        members = sorted(value)
    elif isinstance(value, list):
        members = range(len(value))
    if not members or draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(DAMAGES))
    member, rest = draw(st.sampled_from(members)), value.copy()
    if draw(st.integers(0, 7)) == 0:
        del rest[member]
    else:
        rest[member] = _damaged(draw, value[member])
    return rest


def _must_be_an_hour(text: str) -> None:
    """If the text is read, both readers agree and every value has its type."""
    try:
        readings = read_readings(text)
    except HourUnreadable:
        return
    assert read_columns(text) == to_columns(FIVE, readings)
    for stored in readings:
        assert FIVE <= stored.reading.at < SIX
        for version in stored.versions:
            reading = version.reading
            assert type(reading.mg_dl) is int
            assert {type(reading.trend), type(reading.status), type(reading.record_id)} <= {str, NoneType}
            assert reading.trend_rate is None or math.isfinite(reading.trend_rate)
            assert {type(reading.local_offset_minutes), type(reading.transmitter_ticks)} <= {int, NoneType}
        for device in (stored.reading.device, *(copy.device for copy in stored.copies)):
            assert {type(part) for part in astuple(device)} <= {str, NoneType}


@pytest.mark.fuzz
@QUICK
@given(st.data())
def test_a_damaged_hour_is_rejected_or_valid(data: st.DataObject) -> None:
    """Members are replaced or removed at any depth. No reading has a value that a reading cannot have."""
    form = json.loads(FORMAT_1)
    for _ in range(data.draw(st.integers(1, 3))):
        form = _damaged(data.draw, form)
    _must_be_an_hour(json.dumps(form))


@pytest.mark.fuzz
@QUICK
@given(st.text() | st.text(alphabet='{}[]":,0123456789.eE-abdefilmnorstuv_ ', max_size=200))
def test_any_text_is_rejected_or_valid(text: str) -> None:
    """The same for texts that were never an hour."""
    _must_be_an_hour(text)
    _must_be_an_hour('{"format":1,' + text)


def test_not_a_number_is_not_written() -> None:
    """JSON has no such value, so it could not be read."""
    broken = merged(Hour(FIVE), [replace(measured(at(5)), trend_rate=float("nan"))])

    with pytest.raises(ValueError, match="JSON"):
        to_text(FIVE, broken.readings)


def realistic_hour(every_s: int) -> Hour:
    """An hour that four polls have fetched."""
    records, hour = realistic(FIVE, 1, every_s), Hour(FIVE)
    for poll in range(4):
        part = records[poll * len(records) // 4 : (poll + 1) * len(records) // 4]
        hour = merged(hour, part, LATER + MINUTE * 15 * poll + timedelta(milliseconds=123 + poll))
    return hour


def test_an_hour_is_one_write_unit() -> None:
    """An item with twelve readings stays below 1 KB, which DynamoDB counts as one write unit."""
    text = to_text(FIVE, realistic_hour(300).readings)
    rest_of_the_item = len("pk" + "u" * 36 + "sk2026-11-21T05" + "readings" + "version" + "expires_at") + 12

    assert len(text.encode()) + rest_of_the_item < 1024


def test_an_hour_of_a_thousand_a_day_is_small() -> None:
    """84 readings stay below 6 KB, and DynamoDB's limit is 400 KB."""
    hour = realistic_hour(43)

    assert len(hour.readings) == 84
    assert len(to_text(FIVE, hour.readings).encode()) < 6 * 1024


def test_the_text_is_readable_json() -> None:
    """It has names, seconds after the start of the hour, and values."""
    form = json.loads(
        to_text(FIVE, merged(Hour(FIVE), [measured(at(5), 120), measured(at(10), 121)]).readings)
    )

    assert form == {
        "format": 1,
        "transmitters": ["transmitter-1"],
        "devices": [["g7", "iOS", "G7", 0]],
        "trends": ["flat"],
        "saves": [[10801, 10800.0]],
        "at": [300, 600],
        "mg_dl": [120, 121],
        "trend": 0,
        "rate": 0.3,
        "device": 0,
        "start_ticks": 85000,
        "drift": 0,
        "save": 0,
    }
