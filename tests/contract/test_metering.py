from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest

from benchmarks.metering import Meter
from bg_ingest.dynamo import Table
from tests.support.template_document import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ABSENT = "attribute_not_exists(pk)"


@pytest.fixture
def table(dynamodb: DynamoDBClient) -> Table:
    """By a client of its own: a meter never leaves the one it is on."""
    create_table(dynamodb, "UsersTable", "users")
    client = boto3.client(  # noqa: TID251 - there is no wiring here.
        "dynamodb",
        region_name="eu-west-1",
        endpoint_url=dynamodb.meta.endpoint_url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    return Table(client, "users")


@pytest.fixture
def meter(table: Table) -> Meter:
    """What the table costs."""
    return Meter(table.client)


def test_a_write_costs_what_dynamodb_says(table: Table, meter: Meter) -> None:
    """One unit, of that table, for a small item."""
    table.put({"pk": "ada", "sk": "day"})

    assert meter.written("users") == 1
    assert meter.written("readings") == meter.read("users") == 0


def test_a_refused_write_costs_a_unit(table: Table, meter: Meter) -> None:
    """It writes nothing and is paid for all the same."""
    table.put({"pk": "ada", "sk": "day"}, ABSENT)
    refused = table.put({"pk": "ada", "sk": "day"}, ABSENT)

    assert not refused.accepted
    assert meter.written("users") == 2


def test_every_page_of_a_query_is_counted(table: Table, meter: Meter) -> None:
    """Two pages are two calls and their units together, and a fresh count begins at none."""
    for day in range(4):
        table.put({"pk": "ada", "sk": f"day {day}"})
    meter.reset()
    assert meter.read("users") == meter.calls == 0

    found = list(table.query("pk = :user", {":user": "ada"}, consistent=True, page_items_max=3))

    assert len(found) == 4
    assert meter.calls == 2
    assert meter.read("users") == 2
