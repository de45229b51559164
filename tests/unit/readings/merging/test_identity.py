from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.readings.gaps import INTERVAL
from bg_ingest.readings.merging.identity import COPIES_APART_MAX, measurement_id, record_order, same_source
from bg_ingest.readings.model import FIELDS, Device, Reading, ReadingField
from tests.unit.readings.made_up import DEVICES, PHONE, QUICK, RECEIVER, SILENT, at, measured, wild_answers


@pytest.mark.parametrize("part", ["generation", "display", "app", "transmitter"])
def test_missing_parts_do_not_make_another_source(part: str) -> None:
    """A part of the device that differs makes another source. A part that is missing does not."""
    ours = measured(at(5))
    silent = replace(ours, device=replace(PHONE, **{part: None}))
    other = replace(ours, device=replace(PHONE, **{part: "another"}))

    assert same_source(ours, silent)
    assert same_source(silent, other)
    assert not same_source(ours, other)


def test_phone_and_receiver_are_two_sources() -> None:
    """They only share the transmitter."""
    assert not same_source(measured(at(5), device=PHONE), measured(at(5), device=RECEIVER))
    assert same_source(measured(at(5), device=PHONE), measured(at(5), device=SILENT))


def test_a_measurement_id_needs_transmitter_and_ticks() -> None:
    """Zero ticks are ticks."""
    assert measurement_id(PHONE, 0) == ("transmitter-1", 0)
    assert measurement_id(PHONE, None) is None
    assert measurement_id(Device(), 7) is None


def test_copies_are_nearer_than_measurements() -> None:
    """If a transmitter repeats its ticks, two neighbouring measurements stay two readings."""
    assert COPIES_APART_MAX < INTERVAL


@pytest.mark.parametrize(
    "field", [field for field in FIELDS if not field.of_version], ids=lambda field: field.name
)
def test_records_that_differ_in_one_field_are_ordered(field: ReadingField) -> None:
    """The order never depends on which record comes first in an answer."""
    record = measured(at(5))
    other: dict[str, Any] = {
        "at": at(6),
        "mg_dl": 111,
        "trend_rate": 0.4,
        "local_offset_minutes": 60,
        "transmitter_ticks": 7,
        "device": SILENT,
    }
    changed = replace(record, **{field.name: other.get(field.name, "another")})

    assert (record_order(record) < record_order(changed)) is not (
        record_order(changed) < record_order(record)
    )


@QUICK
@given(wild_answers(), st.data())
def test_records_have_a_total_order(answer: list[Reading], data: st.DataObject) -> None:
    """Sorting gives the same list for each permutation, so the order of an answer does not matter."""
    assert {record.device for record in answer} <= set(DEVICES)
    assert sorted(answer, key=record_order) == sorted(data.draw(st.permutations(answer)), key=record_order)
