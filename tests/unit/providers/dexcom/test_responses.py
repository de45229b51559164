from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.dexcom.responses import (
    DataRange,
    KnownDevice,
    parse_data_range,
    parse_devices,
    parse_egvs,
)
from bg_ingest.providers.errors import ContractBroken
from bg_ingest.providers.seam import Fetched, Span
from bg_ingest.readings.model import Device
from tests.support.fakes import NOON
from tests.unit.providers.dexcom.json_records import a_record
from tests.unit.providers.dexcom.test_records import JSON

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
