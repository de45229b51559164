"""Fixtures that every tier may use."""

from __future__ import annotations

import fcntl
import gc
import os
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import hypothesis
import pytest
from botocore.config import Config
from moto import mock_aws
from xdist.scheduler import LoadScopeScheduling

from bg_ingest.dynamo import Table
from bg_ingest.settings import Settings
from local.deploy import build
from local.dynamodb_local import jars, server
from local.errors import CannotStart
from local.rabbitmq import server as rabbitmq
from tests.support.certificates_once import read_certificates_once
from tests.support.fakes import FakeClock
from tests.support.leak_watch import LeakWatch
from tests.support.moto_in_turn import take_calls_in_turn
from tests.support.moto_quickly import answer_quickly
from tests.support.moto_without_requests import answer_botocore_only
from tests.support.template_document import create_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_dynamodb import DynamoDBClient

THREADS_MAX = 32
_WORKERS_MAX = 8  # Each needs 400 MB.
_GARBAGE_OBJECTS = 50_000  # New objects before a search; Python's default is 700.
# Enough to notice what was broken a minute ago, and the same examples in every run; `make fuzz` looks longer.
hypothesis.settings.register_profile("quick", max_examples=40, deadline=None, derandomize=True)
hypothesis.settings.register_profile("fuzz", max_examples=2_000, deadline=None)
# A deployed cloud; what SAM has built.
_SHARING = ("tests/e2e/", "tests/template/")
# The folders with the longest files begin, so that the end is not a long file on one of the workers.
_ORDER = (
    *_SHARING,
    "tests/simulation/",
    "tests/contract/",
    "tests/functions/",
    "tests/local/",
    "tests/faults/",
)
_SEEDS = 10
_SETTINGS = frozenset(name.upper() for name in Settings.model_fields)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--integration` runs the stores' contracts against DynamoDB Local instead of moto."""
    parser.addoption("--seeds", type=int, default=_SEEDS, help="how many of the simulation's seeds to run")
    parser.addoption("--series", type=int, default=0, help="how many series to compare with public tools")
    parser.addoption("--integration", action="store_true", help="use DynamoDB Local, and run nothing else")


def pytest_configure(config: pytest.Config) -> None:
    """Let threads share moto, watch every test for leaks, fetch DynamoDB Local before a worker wants it."""
    take_calls_in_turn()
    answer_botocore_only()
    answer_quickly()
    read_certificates_once()
    # No test may log a secret, a user id or a glucose value.
    watch = LeakWatch()
    watch.start()
    config.pluginmanager.register(watch, "leak-watch")
    if not config.getoption("--integration") or hasattr(config, "workerinput"):
        return
    for lacking in filter(None, (rabbitmq.missing(), jars.missing())):
        print(f"Skipped: {lacking}.")  # noqa: T201 - to the person at the terminal.
    if jars.missing():
        return
    try:
        jars.fetch()
    except CannotStart as trouble:
        raise pytest.UsageError(str(trouble)) from None


class ByWhatTheyShare(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types.
    """Tests that share something slow stay on one worker, so that it is made once: by file or by folder."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith("tests/simulation/"):
            return nodeid  # They share nothing, and some take half a minute each.
        file = nodeid.partition("::")[0]
        return next((folder for folder in _SHARING if nodeid.startswith(folder)), file)


def pytest_xdist_auto_num_workers() -> int:
    """One worker per processor and one more, because some tests wait for processes of their own."""
    return min((os.cpu_count() or 1) + 1, _WORKERS_MAX)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByWhatTheyShare:
    """Send whole files to the workers; by single tests xdist itself takes 4 ms a test."""
    return ByWhatTheyShare(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Each tier runs what is its own; what waits for the schedule comes last, when it has waited enough."""
    wanted = config.getoption("--integration")
    chosen = [item for item in items if _runs(item)]
    config.hook.pytest_deselected(items=list(set(items).difference(chosen)))
    items[:] = sorted(chosen, key=_place)
    if wanted:
        missing = {"broker": rabbitmq.missing(), "dynamodb_local": jars.missing(), "dynamodb": jars.missing()}
        for item in items:
            needed = set(missing).intersection(getattr(item, "fixturenames", ()))
            for reason in filter(None, map(missing.get, sorted(needed))):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection() -> None:
    """Search for no garbage while modules and tests are collected, which makes none."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Search what the tests make for garbage, and not the million objects of imports and collection."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(_GARBAGE_OBJECTS)


def _place(item: pytest.Item) -> tuple[int, bool]:
    folder = next((n for n, start in enumerate(_ORDER) if item.nodeid.startswith(start)), len(_ORDER))
    return folder, item.get_closest_marker("last") is not None


def _runs(item: pytest.Item) -> bool:
    if item.get_closest_marker("public_tools"):
        return bool(item.config.getoption("--series") > 0)
    if item.get_closest_marker("large") and item.config.getoption("--seeds") == _SEEDS:
        return any(item.path.name in arg for arg in item.config.args)
    needs_it = item.get_closest_marker("integration") is not None
    if not item.config.getoption("--integration"):
        return not needs_it
    return needs_it or "dynamodb" in getattr(item, "fixturenames", ())


@pytest.fixture(autouse=True)
def _nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests read neither the developer's environment nor a .env file."""
    for name in _SETTINGS & os.environ.keys():  # noqa: TID251 - the developer's.
        monkeypatch.delenv(name)
    monkeypatch.setitem(Settings.model_config, "env_file", None)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built functions and the built layer, for this machine's Python; built once for all workers."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # noqa: TID251 - xdist says it nowhere else.
        folder = folder.parent
    with (folder / "built.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "built").exists():
            build(folder / "build", folder / "sam.log")
            (folder / "build").rename(folder / "built")
    return folder / "built"


@pytest.fixture
def clock() -> FakeClock:
    """A clock that begins at noon."""
    return FakeClock()


@pytest.fixture(scope="session")
def dynamodb_local() -> Iterator[DynamoDBClient]:
    """Amazon's own DynamoDB Local, as many threads as like."""
    with server.running() as endpoint:
        yield _client(endpoint)


@pytest.fixture
def dynamodb(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoDBClient]:
    """
    A DynamoDB with no tables in it.

    Moto's: conditions are really evaluated, though one call after the other. By `--integration` Amazon's own;
    other services stay moto's.
    """
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    if not request.config.getoption("--integration"):
        with mock_aws():
            yield _client()
        return
    client: DynamoDBClient = request.getfixturevalue("dynamodb_local")
    with mock_aws():
        yield client
        for table in client.list_tables()["TableNames"]:
            client.delete_table(TableName=table)


@cache
def _client(endpoint: str | None = None) -> DynamoDBClient:
    """One for all tests: it holds nothing, and making it takes longer than most of them."""
    return boto3.client(  # noqa: TID251 - there is no wiring here.
        "dynamodb",
        region_name="eu-west-1",
        endpoint_url=endpoint,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(max_pool_connections=THREADS_MAX),
    )


@pytest.fixture
def readings_table(dynamodb: DynamoDBClient) -> Table:
    """The readings table, with the keys template.yaml gives it."""
    create_table(dynamodb, "ReadingsTable", "readings")
    return Table(dynamodb, "readings")


@pytest.fixture
def users_table(dynamodb: DynamoDBClient) -> Table:
    """The users table, with the keys and the index template.yaml gives it."""
    create_table(dynamodb, "UsersTable", "users")
    return Table(dynamodb, "users")


@pytest.fixture
def intake_table(dynamodb: DynamoDBClient) -> Table:
    """The intake table, with the keys template.yaml gives it."""
    create_table(dynamodb, "IntakeTable", "intake")
    return Table(dynamodb, "intake")
