"""Fixtures that run each store's tests on the in-memory DynamoDB, on moto's, or on DynamoDB Local."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bg_ingest.dynamo import Table
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.template_document import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


# The modules that keep the in-memory DynamoDB correct: the expressions of every store, on single items.
_ALSO_ON_MOTO = (
    "connecting",
    "connections",
    "days",
    "inbox",
    "jobs",
    "reading_store_limits",
    "sync_states",
    "transactions",
    "vault",
)
# The modules about clients and tools, which need the API of AWS.
_ON_MOTO_ONLY = ("aws_json_client", "moto_in_turn", "restore_after_erasure")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the databases of a test: in memory, on moto, or both; `--integration` uses DynamoDB Local."""
    if "tables" not in metafunc.fixturenames:
        return
    name = metafunc.module.__name__.rpartition(".")[2].removeprefix("test_")
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    if name in _ON_MOTO_ONLY or "moto" in marks or metafunc.config.getoption("--integration"):
        kinds = ["dynamodb"]
    elif name in _ALSO_ON_MOTO and "exhaustive" not in marks:
        kinds = ["dynamodb", "memory"]
    else:
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
