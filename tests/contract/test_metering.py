from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.metering import Meter
from bg_ingest.dynamo import Table
from tests.support.template_document import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ABSENT = "attribute_not_exists(pk)"


@pytest.fixture
def meter(dynamodb: DynamoDBClient) -> Meter:
    """A meter of the client."""
    create_table(dynamodb, "UsersTable", "users")
    return Meter(dynamodb)


@pytest.fixture
def table(meter: Meter) -> Table:
    """A table whose calls are counted."""
    return Table(meter.client, "users")


def test_a_small_write_costs_one_unit(table: Table, meter: Meter) -> None:
    """A small write counts one unit, for its own table only."""
    table.put({"pk": "ada", "sk": "day"})

    assert meter.written("users") == 1
    assert meter.written("readings") == meter.read("users") == 0


def test_a_refused_write_costs_one_unit(table: Table, meter: Meter) -> None:
    """A refused write changes nothing, but DynamoDB charges for it."""
    table.put({"pk": "ada", "sk": "day"}, ABSENT)
    refused = table.put({"pk": "ada", "sk": "day"}, ABSENT)

    assert not refused.accepted
    assert meter.written("users") == 2


def test_every_page_of_a_query_is_counted(table: Table, meter: Meter) -> None:
    """Two pages are two calls, and their units are added. A reset sets the counts to zero."""
    for day in range(4):
        table.put({"pk": "ada", "sk": f"day {day}"})
    meter.reset()
    assert meter.read("users") == meter.calls == 0

    found = list(table.query("pk = :user", {":user": "ada"}, consistent=True, page_items_max=3))

    assert len(found) == 4
    assert meter.calls == 2
    assert meter.read("users") == 2
