"""Fixtures that run each store's tests on moto's DynamoDB and on the in-memory DynamoDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bg_ingest.dynamo import Table
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.template_document import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


# Test modules that also run on the in-memory DynamoDB, which the simulation uses.
_IN_MEMORY = (
    "dispatch",
    "jobs",
    "sync_states",
    "days",
    "reading_store",
    "erasing",
    "connections",
    "vault",
    "inbox",
    "transactions",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the databases of a test; exhaustive ones run in memory, unless `--integration` is given."""
    if "tables" not in metafunc.fixturenames:
        return
    name = metafunc.module.__name__.rpartition(".")[2].removeprefix("test_")
    kinds = ["moto", "memory"] if name.startswith(_IN_MEMORY) else ["moto"]
    exhaustive = metafunc.definition.get_closest_marker("exhaustive") is not None
    if exhaustive and not metafunc.config.getoption("--integration"):
        kinds = ["memory"]
    metafunc.parametrize("tables", kinds, indirect=True)


@pytest.fixture
def tables(request: pytest.FixtureRequest, dynamodb: DynamoDBClient) -> DynamoDBClient:
    """A DynamoDB with all tables."""
    if request.param == "memory":
        return MemoryDynamo.client()
    create_table(dynamodb, "ReadingsTable", "readings")
    create_table(dynamodb, "UsersTable", "users")
    create_table(dynamodb, "IntakeTable", "intake")
    return dynamodb


@pytest.fixture
def readings_table(tables: DynamoDBClient) -> Table:
    """The readings table."""
    return Table(tables, "readings")


@pytest.fixture
def users_table(tables: DynamoDBClient) -> Table:
    """The users table."""
    return Table(tables, "users")


@pytest.fixture
def intake_table(tables: DynamoDBClient) -> Table:
    """The intake table."""
    return Table(tables, "intake")
