"""Every store, against moto's DynamoDB and against the one in memory that the simulation runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bg_ingest.dynamo import Table
from tests.memory_dynamo import MemoryDynamo
from tests.template_document import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


# What the simulation uses. The others need operations it has no use for, and moto tells enough of them.
_IN_MEMORY = ("dispatch", "jobs", "sync_states", "days", "logbook", "inbox")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Which stores are held to both."""
    if "tables" in metafunc.fixturenames:
        name = metafunc.module.__name__.rpartition(".")[2].removeprefix("test_")
        both = name.startswith(_IN_MEMORY)
        metafunc.parametrize("tables", ["moto", "memory"] if both else ["moto"], indirect=True)


@pytest.fixture
def tables(request: pytest.FixtureRequest, dynamodb: DynamoDBClient) -> DynamoDBClient:
    """A DynamoDB with both tables."""
    if request.param == "memory":
        return MemoryDynamo.client()
    create_table(dynamodb, "ReadingsTable", "readings")
    create_table(dynamodb, "UsersTable", "users")
    return dynamodb


@pytest.fixture
def readings_table(tables: DynamoDBClient) -> Table:
    """The readings table."""
    return Table(tables, "readings")


@pytest.fixture
def users_table(tables: DynamoDBClient) -> Table:
    """The users table."""
    return Table(tables, "users")
