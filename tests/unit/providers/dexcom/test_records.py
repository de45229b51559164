from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.dexcom.records import Units, parse_reading
from bg_ingest.providers.seam import Rejected
from bg_ingest.readings.model import Device, Reading
from tests.support.fakes import NOON
from tests.unit.providers.dexcom.made_up import a_record, without

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
ODD = (
    JSON
    | st.sampled_from(
        ["", "2026-02-06T09:12:35", "2021-02-03T14:15Z", "-06:59:59", "mmol/L", "g6 pro", 39, 401, 5.5, 1e308]
    )
    | st.integers(-1, 1100)
    | st.just(10**30)
)
ODD_RECORDS = st.dictionaries(st.sampled_from(sorted(a_record())), ODD).map(lambda odd: a_record(**odd))


def read(**members: Any) -> Reading:
    """The reading of a record that is one."""
    reading = parse_reading(a_record(**members), NOON)
    assert isinstance(reading, Reading)
    return reading


def test_a_documented_record() -> None:
    """Everything a reading has, from a documented record; the transmitter under another name."""
    reading = read()

    transmitter = reading.device.transmitter
    assert reading == Reading(
        at=datetime(2026, 2, 6, 9, 12, 35, tzinfo=UTC),
        mg_dl=120,
        trend="flat",
        trend_rate=0.3,
        status=None,
        kind="cgm",
        record_id="2cab70ee-d3b4-5a34-9aa9-767513ab72bd",
        local_offset_minutes=-480,
        transmitter_ticks=85273,
        device=Device(generation="g7", display="iOS", app="G7", transmitter=transmitter),
    )
    assert transmitter is not None
    assert "5c8d" not in transmitter


@pytest.mark.parametrize("name", sorted(set(a_record()) - {"systemTime", "value"}))
def test_null_is_as_good_as_absent(name: str) -> None:
    """Members come and go; a reading needs none but its instant and its value."""
    absent = parse_reading(without(a_record(), name), NOON)

    assert isinstance(absent, Reading)
    assert read(**{name: None}) == absent


def test_an_empty_text_says_nothing() -> None:
    """As if it were absent."""
    assert (read(trend="").trend, read(displayApp="").device.app) == (None, None)


def test_a_transmitter_has_the_same_name_in_every_version() -> None:
    """Names are stored: under another one, the same sensor's readings would be another's."""
    assert read(transmitterId="8G1234").device.transmitter == "cb1e1c095aa99cbc"


def test_an_empty_transmitter_is_none() -> None:
    """The empty string was seen; it names no transmitter, and two of them are not the same one."""
    assert read(transmitterId="").device.transmitter is None


def test_one_transmitter_has_one_name() -> None:
    """The same sensor from phone and receiver is recognised, and another one is not mistaken for it."""
    phone, receiver, other = (
        read(transmitterId=name).device.transmitter for name in ("8G1234", "8G1234", "8G1235")
    )

    assert phone == receiver
    assert phone != other


@pytest.mark.parametrize("generation", ["g6 pro", "g715day", "G99", "dexcomPro"])
def test_enumerations_are_open(generation: str) -> None:
    """Strings nobody has published are kept: clients that were strict lost data over them."""
    reading = read(transmitterGeneration=generation, trend=generation, displayApp=generation)

    assert (reading.device.generation, reading.trend, reading.device.app) == (generation,) * 3


def test_texts_have_a_limit_and_can_be_stored() -> None:
    """What goes on to the database is neither endless nor impossible to encode."""
    reading = read(trend="x" * 5000, displayApp="a\ud800b")

    assert len(reading.trend or "") == 100
    assert reading.device.app == "a?b"


@pytest.mark.parametrize(("value", "status"), [(39, "low"), (401, "high"), (45, "low")])
def test_low_and_high_keep_their_codes(value: int, status: str) -> None:
    """39 and 401 stay what Dexcom said, and say what they mean."""
    reading = read(value=value, status=status)

    assert (reading.mg_dl, reading.status) == (value, status)


def test_the_envelope_speaks_for_records_without_a_unit() -> None:
    """Version 2 says the unit once; a record that says its own is believed."""
    units = Units("mmol/L", "mmol/L/min")
    bare = without(a_record(value=5.5, trendRate=0.1), "unit", "rateUnit")
    own = a_record(value=99, trendRate=1.0)

    readings = [parse_reading(record, NOON, units) for record in (bare, own)]
    assert [(one.mg_dl, one.trend_rate) for one in readings if isinstance(one, Reading)] == [
        (99, 1.802),
        (99, 1.0),
    ]


def test_a_rate_is_converted_with_its_value() -> None:
    """Dexcom calls mg/dL mmol/L at times; then neither number is converted."""
    mislabelled = read(value=120, unit="mmol/L", trendRate=1.5, rateUnit="mmol/L/min")
    converted = read(value=6.7, unit="mmol/L", trendRate=0.1, rateUnit="mmol/L/min")

    assert (mislabelled.mg_dl, mislabelled.trend_rate) == (120, 1.5)
    assert (converted.mg_dl, converted.trend_rate) == (121, 1.802)


@pytest.mark.parametrize(
    ("ticks", "kept"),
    [
        (0, 0),
        (85273.0, 85273),
        (2**53, 2**53),
        (2**53 + 2, None),
        (-1, None),
        (1.5, None),
        ("85273", None),
        (True, None),
        (10**400, None),
    ],
)
def test_ticks_are_whole_seconds_or_none(ticks: object, kept: int | None) -> None:
    """Ticks name a measurement; a doubtful name is none."""
    assert read(transmitterTicks=ticks).transmitter_ticks == kept


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (None, "not-a-record"),
        ("egv", "not-a-record"),
        ([a_record()], "not-a-record"),
        ({}, "system-time-missing"),
        (a_record(systemTime=None), "system-time-missing"),
        (a_record(systemTime=""), "system-time-missing"),
        (a_record(systemTime="soon"), "system-time-unreadable"),
        (a_record(systemTime=1770369155), "system-time-unreadable"),
        (a_record(systemTime="2009-12-31T23:59:59Z"), "system-time-absurd"),
        (a_record(systemTime="2026-04-27T12:00:01Z"), "system-time-absurd"),
        (a_record(value=None), "value-missing"),
        (without(a_record(), "value"), "value-missing"),
        (a_record(value="120"), "value-not-a-number"),
        (a_record(value=False), "value-not-a-number"),
        (a_record(value=0), "value-out-of-range"),
    ],
)
def test_a_record_that_is_no_reading_says_why(record: object, reason: str) -> None:
    """It comes back whole, for somebody to look at, with one of a few reasons that can be counted."""
    rejected = parse_reading(record, NOON)

    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.record) == (reason, record)


def test_a_clock_that_is_ahead_is_no_reason() -> None:
    """Device clocks drift into the future; a day of that is believed, and so is everything since 2010."""
    for at in (NOON + timedelta(days=1), datetime(2010, 1, 1, tzinfo=UTC)):
        assert read(systemTime=at.isoformat()).at == at


def test_a_rejected_record_does_not_show_in_logs() -> None:
    """The reason may be logged; what was measured, and of whom, may not."""
    assert repr(parse_reading(a_record(value=1234), NOON)) == "Rejected(reason='value-out-of-range')"


@pytest.mark.fuzz
@given(JSON)
def test_no_json_makes_it_raise(value: Any) -> None:
    """Anything at all is a reading or has a reason not to be one."""
    assert isinstance(parse_reading(value, NOON), Reading | Rejected)


@pytest.mark.fuzz
@given(ODD_RECORDS)
def test_no_odd_record_makes_it_raise(record: dict[str, Any]) -> None:
    """Whatever is odd about a record: a reading made of it is plausible, and can be written down."""
    read = parse_reading(record, NOON)

    if isinstance(read, Reading):
        assert 13 <= read.mg_dl <= 1000
        assert read.at.utcoffset() == timedelta(0)
        assert read.at.microsecond == 0
        json.dumps([read.trend, read.trend_rate, read.record_id, read.transmitter_ticks], allow_nan=False)
