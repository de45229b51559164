"""The table of fields agrees with the classes that it describes."""

from __future__ import annotations

from dataclasses import fields
from decimal import ROUND_HALF_UP, Decimal

from bg_ingest.http_api.answers.range_response import ReadingJson
from bg_ingest.readings.model import (
    CONTENT,
    FIELDS,
    MG_DL_PER_MMOL_L,
    SERVED,
    STORED,
    Columns,
    Reading,
    content_values,
    mmol_l,
    served_values,
)
from bg_ingest.readings.stored.format_1 import FIRST_CONTENT_FIELDS
from bg_ingest.readings.stored.stored_reading import StoredReading
from tests.unit.readings.made_up import LATER, at, measured


def test_every_field_of_a_reading_is_in_the_table() -> None:
    """Each has one row. The other rows are attributes of StoredReading."""
    of_reading = [field.name for field in FIELDS if not field.of_version]
    of_version = [field.name for field in FIELDS if field.of_version]

    assert sorted(of_reading) == sorted(field.name for field in fields(Reading))
    assert set(of_version) < {field.name for field in fields(StoredReading)}


def test_columns_are_the_served_fields() -> None:
    """In the order of the table, with the instant as seconds."""
    assert ["seconds", *(field.name for field in SERVED[1:])] == list(Columns._fields)
    assert SERVED[0].name == "at"


def test_the_described_reading_has_the_served_fields() -> None:
    """The OpenAPI document has one member more, which `unit=mmol/L` adds."""
    described = [name for name in ReadingJson.__annotations__ if name != "glucose_mmol_l"]

    assert described == [field.served for field in SERVED]


def test_names_are_not_used_twice() -> None:
    """Neither in the stored form nor in the answers."""
    for names in ([field.stored for field in STORED], [field.served for field in SERVED]):
        assert len(set(names)) == len(names)


def test_the_content_of_the_first_release_stays_first() -> None:
    """Stored rows of earlier versions have this order, so a new content field comes after these."""
    first = ("mg_dl", "trend", "trend_rate", "status", "local_offset_minutes")

    assert tuple(field.name for field in CONTENT[:FIRST_CONTENT_FIELDS]) == first


def test_values_are_read_in_the_order_of_the_table() -> None:
    """Content comes from the reading; served fields come from the reading and from its stored version."""
    reading = measured(at(5), 120)
    stored = StoredReading(reading, LATER, revision=2)

    assert content_values(reading) == (120, "flat", 0.3, None, None)
    assert served_values(stored) == (at(5), 120, "flat", 0.3, None, "cgm", None, LATER, 2, reading.device)


def test_mmol_l_is_rounded_half_up() -> None:
    """One decimal, equal to exact decimal arithmetic."""
    for mg_dl in (*range(602), 18_015_590):
        exact = (Decimal(mg_dl) / Decimal("18.01559")).quantize(Decimal("0.1"), ROUND_HALF_UP)
        assert str(mmol_l(mg_dl)) == str(exact)


def test_the_factor_is_exact() -> None:
    """It is the molar mass of glucose divided by ten."""
    assert MG_DL_PER_MMOL_L == 18.01559
