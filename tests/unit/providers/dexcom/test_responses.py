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
from tests.unit.providers.dexcom.made_up import a_record
from tests.unit.providers.dexcom.test_records import JSON

AT = datetime(2026, 2, 6, 9, 12, 35, tzinfo=UTC)


def test_version_3() -> None:
    """The documented envelope; whether recordType is plural is nobody's business."""
    egvs = parse_egvs({"recordType": "egvs", "userId": "4dd1c3", "records": [a_record()]}, NOON)

    assert [reading.mg_dl for reading in egvs.readings] == [120]
    assert egvs.rejected == ()
    assert egvs.account_id_hash not in {None, "4dd1c3"}


def test_version_2() -> None:
    """The older envelope: no ids, times without zone, one unit for all."""
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
def test_bad_records_never_cost_their_neighbours(odd: list[Any], place: int) -> None:
    """Whatever stands around a good record, it is read, and everything else is accounted for."""
    records = [*odd[:place], a_record(), *odd[place:]]

    egvs = parse_egvs({"records": records}, NOON)

    assert [reading.mg_dl for reading in egvs.readings] == [120]
    assert len(egvs.rejected) == len(egvs.reasons) == len(odd)


def test_answers_add_up() -> None:
    """Windows of one range become one answer, in which the newest account counts."""
    first = parse_egvs({"userId": "a", "records": [a_record()]}, NOON)
    second = parse_egvs({"userId": "b", "records": [None]}, NOON)

    both = first + second
    assert (len(both.readings), both.reasons) == (1, ("not-a-record",))
    assert both.account_id_hash == second.account_id_hash != first.account_id_hash
    assert (both + Fetched()).account_id_hash == second.account_id_hash


def test_an_answer_does_not_show_in_logs() -> None:
    """Neither values nor ids are in its repr."""
    egvs = parse_egvs({"userId": "4dd1c3", "records": [a_record(), a_record(value=None)]}, NOON)

    assert repr(egvs) == "Fetched(rejected=(Rejected(reason='value-missing'),))"


def test_a_list_that_is_null_is_empty() -> None:
    """No data is an empty list, and sometimes none at all."""
    assert parse_egvs({"records": None}, NOON) == parse_egvs({"records": []}, NOON) == Fetched()


@pytest.mark.parametrize("document", [{}, {"records": {}}, {"records": "none"}, {"egvs": 7}])
def test_an_envelope_that_is_none_breaks_the_contract(document: dict[str, Any]) -> None:
    """An answer without its list is not taken for "no data"."""
    with pytest.raises(ContractBroken):
        parse_egvs(document, NOON)


def moment(system_time: str) -> dict[str, str]:
    """An instant as dataRange writes it."""
    return {"systemTime": system_time, "displayTime": system_time[:19]}


def test_a_data_range() -> None:
    """Three spans; those without data are null."""
    egvs = {"start": moment("2026-02-06T09:12:35Z"), "end": moment("2026-02-06T09:12:35Z")}

    assert parse_data_range({"egvs": egvs, "events": None}) == DataRange(egvs=Span(AT, AT))
    assert parse_data_range({"egvs": {"start": None, "end": None}}) == DataRange()


@pytest.mark.parametrize(
    "span",
    [7, [], {}, {"start": moment("2026-02-06T09:12:35Z")}, {"start": moment("soon"), "end": moment("late")}],
)
def test_half_a_data_range_breaks_the_contract(span: Any) -> None:
    """A span that cannot be read is not taken for "nothing was uploaded"."""
    with pytest.raises(ContractBroken):
        parse_data_range({"egvs": span})


def test_devices() -> None:
    """Each with its last upload; what is no device is left out."""
    record = {"lastUploadDate": "2026-02-06T09:12:35Z", "transmitterGeneration": "g7", "displayDevice": "iOS"}

    devices = parse_devices({"records": [record, None, {}]})
    assert devices == (KnownDevice(Device("g7", "iOS"), AT), KnownDevice(Device(), None))
