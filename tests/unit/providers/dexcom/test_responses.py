from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.dexcom.responses import (
    DataRange,
    KnownDevice,
    Units,
    parse_data_range,
    parse_devices,
    parse_egvs,
    parse_reading,
)
from bg_ingest.providers.errors import ContractBroken
from bg_ingest.providers.seam import Fetched, Rejected, Span
from bg_ingest.readings.model import Device, Reading
from tests.support.fakes import NOON
from tests.unit.providers.dexcom.json_records import a_record, without

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
AT = datetime(2026, 2, 6, 9, 12, 35, tzinfo=UTC)


def test_response_of_version_3() -> None:
    """A version 3 response gives its readings and a hash of the account; recordType is ignored."""
    egvs = parse_egvs({"recordType": "egvs", "userId": "4dd1c3", "records": [a_record()]}, NOON)

    assert [reading.mg_dl for reading in egvs.readings] == [120]
    assert egvs.rejected == ()
    assert egvs.account_id_hash not in {None, "4dd1c3"}


def test_response_of_version_2() -> None:
    """A version 2 response has no ids, times without zone, and one unit for all records."""
    record = {
        "systemTime": "2026-02-06T09:12:35",
        "displayTime": "2026-02-06T01:12:35",
        "value": 120,
        "realtimeValue": 120,
        "smoothedValue": None,
        "status": None,
        "trend": "flat",
        "trendRate": -0.3,
    }
    egvs = parse_egvs({"unit": "mg/dL", "rateUnit": "mg/dL/min", "egvs": [record]}, NOON)

    (reading,) = egvs.readings
    assert (reading.at, reading.mg_dl, reading.trend_rate) == (AT, 120, -0.3)
    assert (reading.local_offset_minutes, reading.record_id, reading.device) == (-480, None, Device())
    assert egvs.account_id_hash is None


@given(st.lists(JSON, max_size=5), st.integers(0, 5))
def test_invalid_records_do_not_affect_valid_ones(odd: list[Any], place: int) -> None:
    """A valid record among any JSON values is read, and every other value is a rejected record."""
    records = [*odd[:place], a_record(), *odd[place:]]

    egvs = parse_egvs({"records": records}, NOON)

    assert [reading.mg_dl for reading in egvs.readings] == [120]
    assert len(egvs.rejected) == len(egvs.reasons) == len(odd)


def test_results_of_windows_can_be_added() -> None:
    """The sum of two results has the readings of both and the account of the later one."""
    first = parse_egvs({"userId": "a", "records": [a_record()]}, NOON)
    second = parse_egvs({"userId": "b", "records": [None]}, NOON)

    both = first + second
    assert (len(both.readings), both.reasons) == (1, ("not-a-record",))
    assert both.account_id_hash == second.account_id_hash != first.account_id_hash
    assert (both + Fetched()).account_id_hash == second.account_id_hash
    assert (Fetched(provider="dexcom") + Fetched()).provider == "dexcom"


def test_repr_contains_no_health_data() -> None:
    """The repr of a result contains no value and no id."""
    egvs = parse_egvs({"userId": "4dd1c3", "records": [a_record(), a_record(value=None)]}, NOON)

    assert repr(egvs) == "Fetched(rejected=(Rejected(reason='value-missing'),))"


def test_null_list_is_empty() -> None:
    """A list of records that is null is treated as an empty list."""
    assert parse_egvs({"records": None}, NOON) == parse_egvs({"records": []}, NOON) == Fetched()


@pytest.mark.parametrize("document", [{}, {"records": {}}, {"records": "none"}, {"egvs": 7}])
def test_envelope_without_a_list_breaks_the_contract(document: dict[str, Any]) -> None:
    """A response without its list raises ContractBroken and is not treated as "no data"."""
    with pytest.raises(ContractBroken):
        parse_egvs(document, NOON)


def moment(system_time: str) -> dict[str, str]:
    """An instant in the format of dataRange."""
    return {"systemTime": system_time, "displayTime": system_time[:19]}


def test_data_range_has_three_spans() -> None:
    """A span that is null or whose ends are null is None."""
    egvs = {"start": moment("2026-02-06T09:12:35Z"), "end": moment("2026-02-06T09:12:35Z")}

    assert parse_data_range({"egvs": egvs, "events": None}) == DataRange(egvs=Span(AT, AT))
    assert parse_data_range({"egvs": {"start": None, "end": None}}) == DataRange()


@pytest.mark.parametrize(
    "span",
    [7, [], {}, {"start": moment("2026-02-06T09:12:35Z")}, {"start": moment("soon"), "end": moment("late")}],
)
def test_incomplete_span_breaks_the_contract(span: Any) -> None:
    """A span that cannot be parsed raises ContractBroken and is not treated as "no uploads"."""
    with pytest.raises(ContractBroken):
        parse_data_range({"egvs": span})


def test_devices_skip_what_is_not_an_object() -> None:
    """Each device has its last upload; a record that is not an object is left out."""
    record = {"lastUploadDate": "2026-02-06T09:12:35Z", "transmitterGeneration": "g7", "displayDevice": "iOS"}

    devices = parse_devices({"records": [record, None, {}]})
    assert devices == (KnownDevice(Device("g7", "iOS"), AT), KnownDevice(Device(), None))


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
