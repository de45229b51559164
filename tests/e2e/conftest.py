"""One local cloud for all end-to-end tests: the deployed template, with the role of each function enforced.

It is started once, on free ports and in a folder of its own, so several checkouts can run tests at a
time. It ends with the last of these tests, because its schedules and queues need the processor.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest

from bg_ingest.clock import SystemClock
from local import demo
from local.cloud import Cloud, Options
from local.function_logs import function_lines
from local.paths import StateFolder
from local.ports import free_port
from local.progress import Progress
from tests.e2e.at_dexcom import between_readings
from tests.e2e.crowd import ProcessGroup, Shared
from tests.e2e.known_secrets import add_of_the_cloud
from tests.support.bare_numbers import unexplained_in_line
from tests.support.leaks import leaks_in
from tests.support.scratch import in_memory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from local.stack import Stack
    from tests.support.run_secrets import RunSecrets


@dataclass(frozen=True, slots=True)
class Person:
    """A connected user and their account at the simulated Dexcom."""

    user_id: str
    simulated: str


# This user's new reading is added before the first test, and only the schedule polls the user.
PATIENT = Person("patient", "SandboxUser3")
PLANTED_VALUE = 222
# The origin that may call the API, and the address for the redirect after a login.
ORIGIN = "https://app.example.org"
RETURN_URL = f"{ORIGIN}/connected"


@pytest.fixture(scope="package")
def scratch() -> Iterator[Path | None]:
    """Return a folder in memory if there is enough memory."""
    with in_memory() as folder:
        yield folder


@pytest.fixture(scope="package")
def cloud(
    tmp_path_factory: pytest.TempPathFactory, built: Path, scratch: Path | None, pytestconfig: pytest.Config
) -> Iterator[Stack]:
    """Return the addresses of a running cloud."""
    known: RunSecrets = pytestconfig.pluginmanager.get_plugin("leak-watch").known  # type: ignore[union-attr]  # conftest.py registers it.
    # Uploads are visible at once; the tests of the simulator cover the delay of an hour.
    options = Options(
        port=free_port(),
        enforce_iam=True,
        simulator_arguments=("--upload-delay-seconds", "0", "--people", "10"),
        parameters={
            "BackfillDaysMax": "14",
            "CorsOrigins": ORIGIN,
            "ReturnUrls": RETURN_URL,
            "ServiceClientIds": "subject-of-a-service",
        },
        built=built,
    )
    cloud = Cloud(StateFolder(tmp_path_factory.mktemp("cloud"), scratch), options, Progress(None))
    try:
        stack = cloud.start()
        yield stack
        # Runs after all tests, so the log contains successful and failed calls of the functions.
        lines = function_lines(stack.emulator)
        assert any('"message":"metrics"' in line for line in lines)
        assert {leak for line in lines for leak in leaks_in(line) + unexplained_in_line(line)} == set()
        kinds = add_of_the_cloud(known, stack)
        assert kinds == {"a user id", "a token at Dexcom", "a secret of the deployment", "a token"}
        assert known.found_in("\n".join(lines)) == []
    finally:
        cloud.end()


@pytest.fixture(scope="package")
def now(cloud: Stack) -> datetime:
    """Return the second at which the cloud was ready."""
    assert cloud.api
    return SystemClock().now().replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class Api:
    """The API with the token of one caller."""

    client: httpx.Client

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Send a GET request."""
        return self.client.get(path, headers=headers)

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Send a POST request."""
        return self.client.post(path, json=body, headers=headers)


@pytest.fixture(scope="package")
def http(cloud: Stack) -> Iterator[httpx.Client]:
    """Return a client of the API without a token."""
    with httpx.Client(base_url=cloud.api, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="package")
def caller(cloud: Stack) -> Iterator[Any]:
    """Return a function that makes a client for this user, or for a service with these scopes."""
    clients: list[httpx.Client] = []

    def as_caller(user_id: str, *scopes: str) -> Api:
        headers = {"Authorization": f"Bearer {cloud.callers.token(user_id, scopes)}"}
        clients.append(httpx.Client(base_url=cloud.api, headers=headers, timeout=60, trust_env=False))
        return Api(clients[-1])

    yield as_caller
    for client in clients:
        client.close()


@pytest.fixture(scope="package")
def demo_user(caller: Any) -> Api:
    """Return the API with the token of the demo user."""
    api: Api = caller(demo.USER_ID)
    return api


@pytest.fixture(scope="package")
def dexcom(cloud: Stack) -> Iterator[httpx.Client]:
    """Return the simulated Dexcom."""
    with httpx.Client(base_url=cloud.dexcom, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="package", autouse=True)
def planted(cloud: Stack, dexcom: httpx.Client, now: datetime) -> datetime:
    """Return a reading that appears at Dexcom after the user's history was fetched.

    It is added before the first test, so the schedule has had time to find it.
    """
    token = cloud.callers.token(PATIENT.user_id)
    demo.connect(cloud.api, token, PATIENT.user_id, PATIENT.simulated)
    demo.wait_for_backfill(cloud.api, token, PATIENT.user_id)
    instant = between_readings(dexcom, PATIENT.simulated, now - timedelta(minutes=30))
    reading = {"system_time": instant.strftime("%Y-%m-%dT%H:%M:%SZ"), "value": PLANTED_VALUE}
    dexcom.post(f"/_sim/users/{PATIENT.simulated}/readings", json=reading).raise_for_status()
    return instant


@pytest.fixture(scope="package")
def crowd() -> Iterator[ProcessGroup]:
    """Return processes with eight threads each."""
    crowd = ProcessGroup()
    yield crowd
    crowd.end()


@pytest.fixture
def shared(cloud: Stack) -> Shared:
    """Return names that are unique to each test, so that tests can share a cloud."""
    key_id = cloud.emulator.client("kms").create_key()["KeyMetadata"]["KeyId"]
    return Shared(cloud.aws_endpoint, cloud.dexcom, cloud.users_table, key_id, f"e2e-{uuid4().hex}")
