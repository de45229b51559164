"""
What many processes share, under real parallelism.

Moto loses updates under threads, so these claims are made on the emulated AWS: processes with eight threads
each, let loose at one moment.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.managers import BaseManager
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config

from bg_ingest.accounts.connection import Connections, State
from bg_ingest.accounts.data_keys import DataKeys
from bg_ingest.accounts.sealing import Sealer
from bg_ingest.accounts.vault import Vault, VaultLimits
from bg_ingest.clock import SystemClock
from bg_ingest.dexcom.circuit import CircuitRules
from bg_ingest.dexcom.quota import Budget, HourlyQuota
from bg_ingest.dexcom.shared_breaker import SharedBreaker
from bg_ingest.dynamo import Table
from tests.contract.token_world import EU, TokenProvider
from tests.fakes import NOON, FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from bg_ingest.dexcom.oauth import Tokens

pytestmark = pytest.mark.e2e

THREADS = 8  # In each process, unless a test says otherwise.
THREADS_MAX = 25
_starting_gun: list[Any] = []
in_every_process: list[Any] = []  # Locks and the like that a test gives to all its processes.
SPAWN = multiprocessing.get_context("spawn")  # A process that shares nothing, as in Lambda.


@dataclass(frozen=True, slots=True)
class Shared:
    """What a process is told when it starts: where the one AWS is, and what this test's names in it are."""

    endpoint: str
    users_table: str
    key_id: str
    name: str  # A person or a host nobody else uses.

    def client(self, service: str) -> Any:
        """A client of the emulated AWS, with a connection for each thread."""
        return boto3.client(  # type: ignore[call-overload]  # noqa: TID251 - there is no wiring here.
            service,
            endpoint_url=self.endpoint,
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(max_pool_connections=THREADS_MAX),
        )

    @property
    def table(self) -> Table:
        """The users table."""
        return Table(self.client("dynamodb"), self.users_table)


@pytest.fixture
def shared(cloud: Any) -> Shared:
    """A name of its own for each test, so that tests may share a cloud."""
    there = Shared(cloud.aws_endpoint, cloud.users_table, "", "")
    key_id = there.client("kms").create_key()["KeyMetadata"]["KeyId"]
    return Shared(cloud.aws_endpoint, cloud.users_table, key_id, f"e2e-{uuid4().hex}")


def let_loose(
    processes: int,
    start: Callable[..., Callable[[], Any]],
    *args: Any,
    threads: int = THREADS,
    given: tuple[Any, ...] = (),
) -> list[Any]:
    """
    Start processes that each call `start` once and what it returns in all their threads, at one moment.

    The answers of all threads; one that raised answers with the exception.
    """
    barrier = SPAWN.Barrier(processes * threads)
    with ProcessPoolExecutor(processes, SPAWN, _remember, (barrier, *given)) as pool:
        running = [pool.submit(_one_process, threads, start, args) for _ in range(processes)]
        return [answer for process in running for answer in process.result()]


def _remember(barrier: Any, *given: Any) -> None:
    # What locks can be given to a process while it starts and not later.
    _starting_gun.append(barrier)
    in_every_process.extend(given)


def _one_process(threads: int, start: Callable[..., Callable[[], Any]], args: Any) -> list[Any]:
    act = start(*args)

    def one_thread(_: int) -> Any:
        _starting_gun[0].wait(timeout=60)
        try:
            return act()
        except Exception as error:  # noqa: BLE001 - an answer like any other.
            return error

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one_thread, range(threads)))


class ProviderInOnePlace(TokenProvider):
    """The token provider, asked by many at once."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self._one_at_a_time = Lock()

    def refresh(self, refresh_token: str, base_url: str) -> Tokens:
        """As ever, one after the other."""
        with self._one_at_a_time:
            return super().refresh(refresh_token, base_url)

    def refreshed(self) -> int:
        """How often it was asked; a method, because other processes see no attributes."""
        return self.refreshes


class ProviderProcess(BaseManager):
    """A process that holds the provider."""


ProviderProcess.register("provider", ProviderInOnePlace)


@pytest.fixture
def provider() -> Iterator[Any]:
    """One provider for all processes."""
    with ProviderProcess(address=("127.0.0.1", 0), ctx=SPAWN) as process:
        yield process.provider()  # type: ignore[attr-defined] # Registered above.


def vault_of(shared: Shared, provider: Any) -> Vault:
    """A process's vault; patient, because 32 threads and an emulator share very few cores here."""
    keys = DataKeys(shared.client("kms"), shared.key_id, "e2e", SystemClock())
    patient = VaultLimits(waits_s=(0.5,) * 60)
    return Vault(Connections(shared.table, SystemClock()), Sealer(keys), provider.refresh, patient)


def start_refreshing(shared: Shared, provider: Any) -> Callable[[], str]:
    """A process whose first token was just rejected."""
    vault = vault_of(shared, provider)
    return lambda: vault.access_token(shared.name, rejected="access-1")


def test_one_refresh_serves_everybody(shared: Shared, provider: Any) -> None:
    """
    32 threads in 4 processes need a refresh at once.

    The provider sees one, everyone has the new token, and nobody loses the connection.
    """
    vault_of(shared, provider).store(shared.name, EU, provider.login(), data_from=NOON)

    tokens = let_loose(4, start_refreshing, shared, provider)

    assert Counter(tokens) == {"access-2": 4 * THREADS}
    assert provider.refreshed() == 1
    connection = Connections(shared.table, SystemClock()).get(shared.name)
    assert connection
    assert connection.state is State.CONNECTED


def start_calling(shared: Shared, hour: int) -> Callable[[], int]:
    """A process that calls as often as it may, in an hour that does not end."""
    clock = FakeClock(NOON.replace(year=3000 + hour))
    quota = HourlyQuota(shared.table, clock, Budget(calls_per_hour=600, sharers=8))

    def call_until_refused() -> int:
        calls = 0
        while quota.take() == 0:
            calls += 1
        return calls

    return call_until_refused


def test_eight_processes_spend_the_hour_exactly(shared: Shared) -> None:
    """64 threads want more than there is: all 600 calls are made, and not one more."""
    hour_of_this_test = int(shared.name[-8:], 16) % 5_000

    calls = let_loose(8, start_calling, shared, hour_of_this_test)

    assert sum(calls) == 600


RULES = CircuitRules(failures_max=5, failures_kept=timedelta(minutes=2))


def start_failing(shared: Shared) -> Callable[[], int]:
    """A process whose every call fails, ten times in each thread."""
    breaker = SharedBreaker(shared.table, FakeClock(), shared.name, RULES)

    def ten_jobs() -> int:
        calls = 0
        for _ in range(10):
            admission = breaker.admit()
            if admission.allowed:
                calls += 1
                breaker.failed(admission)
        return calls

    return ten_jobs


def start_asking(shared: Shared, now: datetime) -> Callable[[], bool]:
    """A process that wants to make one call in each thread."""
    breaker = SharedBreaker(shared.table, FakeClock(now), shared.name, RULES)
    return lambda: breaker.admit().allowed


def test_an_outage_stops_everybody_and_one_probes(shared: Shared) -> None:
    """
    32 threads in 4 processes meet an outage.

    No more calls are made than it takes, beside those that were on their way; after the recovery time one
    of 32 may try.
    """
    calls = sum(let_loose(4, start_failing, shared))
    assert RULES.failures_max <= calls <= RULES.failures_max + 4 * THREADS - 1

    asked_at = NOON + RULES.recovery
    assert sum(let_loose(4, start_asking, shared, asked_at)) == 1

    too_late_for_the_first = asked_at + RULES.probe_max
    assert sum(let_loose(4, start_asking, shared, too_late_for_the_first)) == 1
