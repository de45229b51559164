from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.dexcom.records import Units, parse_reading
from bg_ingest.providers.seam import Rejected
from bg_ingest.readings.model import Device, Reading
from tests.support.fakes import NOON
from tests.unit.providers.dexcom.json_records import a_record, without

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
UNUSUAL_RECORDS = st.dictionaries(st.sampled_from(sorted(a_record())), ODD).map(lambda odd: a_record(**odd))


def read(**members: Any) -> Reading:
    """The reading of a valid record with these members."""
    reading = parse_reading(a_record(**members), NOON)
    assert isinstance(reading, Reading)
    return reading


def test_documented_record_gives_a_full_reading() -> None:
    """A documented record gives every field of a reading, with a pseudonym for the transmitter."""
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
def test_null_member_is_like_a_missing_one(name: str) -> None:
    """Only the instant and the value are required; any other member can be null or missing."""
    absent = parse_reading(without(a_record(), name), NOON)

    assert isinstance(absent, Reading)
    assert read(**{name: None}) == absent


@pytest.mark.parametrize(("status", "mg_dl"), [("low", 39), ("high", 401)])
@pytest.mark.parametrize("unit", ["mg/dL", "mmol/L", None])
def test_a_status_without_a_value_is_a_reading(status: str, mg_dl: int, unit: str | None) -> None:
    """The sensor measured a value below or above its range: that is a reading, not a gap."""
    reading = read(value=None, status=status, unit=unit)

    assert (reading.mg_dl, reading.status) == (mg_dl, status)
    assert parse_reading(without(a_record(status=status), "value"), NOON) == replace(
        reading, trend_rate=read().trend_rate
    )


@pytest.mark.parametrize("status", [None, "", "ok", "LOW", 39, {}, []])
def test_another_status_does_not_replace_the_value(status: object) -> None:
    """A record without a value stays rejected."""
    rejected = parse_reading(a_record(value=None, status=status), NOON)

    assert isinstance(rejected, Rejected)
    assert rejected.reason == "value-missing"


def test_empty_text_becomes_none() -> None:
    """An empty string is treated like a missing member."""
    assert (read(trend="").trend, read(displayApp="").device.app) == (None, None)


def test_transmitter_pseudonym_is_stable() -> None:
    """A stored pseudonym must stay the same in every version, or one sensor would look like two."""
    assert read(transmitterId="8G1234").device.transmitter == "cb1e1c095aa99cbc"


def test_empty_transmitter_has_no_pseudonym() -> None:
    """An empty transmitter id (observed) is None, so that two of them are not treated as one sensor."""
    assert read(transmitterId="").device.transmitter is None


def test_phone_and_receiver_share_a_pseudonym() -> None:
    """One transmitter has one pseudonym, from phone and receiver; another transmitter has another."""
    phone, receiver, other = (
        read(transmitterId=name).device.transmitter for name in ("8G1234", "8G1234", "8G1235")
    )

    assert phone == receiver
    assert phone != other


@pytest.mark.parametrize("generation", ["g6 pro", "g715day", "G99", "dexcomPro"])
def test_unknown_enumeration_value_is_kept(generation: str) -> None:
    """An undocumented string is kept unchanged."""
    reading = read(transmitterGeneration=generation, trend=generation, displayApp=generation)

    assert (reading.device.generation, reading.trend, reading.device.app) == (generation,) * 3


def test_text_is_cut_and_encodable() -> None:
    """A text is cut to 100 characters, and a lone surrogate is replaced."""
    reading = read(trend="x" * 5000, displayApp="a\ud800b")

    assert len(reading.trend or "") == 100
    assert reading.device.app == "a?b"


@pytest.mark.parametrize(("value", "status"), [(39, "low"), (401, "high"), (45, "low")])
def test_low_and_high_keep_their_codes(value: int, status: str) -> None:
    """The codes 39 and 401 are kept as values, and the status says what they mean."""
    reading = read(value=value, status=status)

    assert (reading.mg_dl, reading.status) == (value, status)


def test_record_without_a_unit_uses_the_envelope() -> None:
    """The units of the envelope apply to a record without units, and not to one with its own."""
    units = Units("mmol/L", "mmol/L/min")
    bare = without(a_record(value=5.5, trendRate=0.1), "unit", "rateUnit")
    own = a_record(value=99, trendRate=1.0)

    readings = [parse_reading(record, NOON, units) for record in (bare, own)]
    assert [(one.mg_dl, one.trend_rate) for one in readings if isinstance(one, Reading)] == [
        (99, 1.802),
        (99, 1.0),
    ]


def test_rate_is_converted_only_with_its_value() -> None:
    """If a value in mg/dL is labelled mmol/L, then neither the value nor the rate is converted."""
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
    """Ticks that are not a whole number of seconds are None, because they identify a measurement."""
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
def test_invalid_record_is_rejected_with_a_reason(record: object, reason: str) -> None:
    """A rejected record contains the whole record and one of a few reasons."""
    rejected = parse_reading(record, NOON)

    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.record) == (reason, record)


def test_plausible_instants_are_accepted() -> None:
    """An instant since 2010 and up to one day ahead is accepted, because device clocks drift."""
    for at in (NOON + timedelta(days=1), datetime(2010, 1, 1, tzinfo=UTC)):
        assert read(systemTime=at.isoformat()).at == at


def test_repr_of_a_rejected_record_is_the_reason() -> None:
    """The repr, which may be logged, contains the reason and not the record."""
    assert repr(parse_reading(a_record(value=1234), NOON)) == "Rejected(reason='value-out-of-range')"


@pytest.mark.fuzz
@given(JSON)
def test_no_json_raises(value: Any) -> None:
    """Any JSON value is a reading or a rejected record."""
    assert isinstance(parse_reading(value, NOON), Reading | Rejected)


@pytest.mark.fuzz
@given(UNUSUAL_RECORDS)
def test_unusual_record_gives_a_plausible_reading(record: dict[str, Any]) -> None:
    """A reading from a record with unusual members is plausible and can be stored as JSON."""
    read = parse_reading(record, NOON)

    if isinstance(read, Reading):
        assert 13 <= read.mg_dl <= 1000
        assert read.at.utcoffset() == timedelta(0)
        assert read.at.microsecond == 0
        json.dumps([read.trend, read.trend_rate, read.record_id, read.transmitter_ticks], allow_nan=False)
