"""State that many processes share, under real parallelism, with the calls counted by the simulated Dexcom.

Moto loses updates under threads, so these tests use the emulated AWS: processes with eight threads each,
started at the same moment, with the client of a sync.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from bg_ingest.accounts.connection import Connections, ConnectionState
from bg_ingest.accounts.sealing import DataKeys, Purpose, Sealer
from bg_ingest.accounts.vault import Vault
from bg_ingest.clock import SystemClock, new_id
from bg_ingest.dynamo import Table
from bg_ingest.providers.dexcom import (
    DexcomClient,
    OAuth,
    RateLimiter,
    RateRules,
    TryLater,
    admission_control,
    polite_http,
)
from bg_ingest.providers.errors import CircuitOpen, QuotaSpent
from bg_ingest.providers.http.circuit import CircuitRules
from bg_ingest.providers.http.quota import HourlyQuota, QuotaRules
from bg_ingest.providers.http.shared_breaker import SharedBreaker
from bg_ingest.providers.seam import Endpoint
from bg_ingest.readings.store import ReadingStore
from bg_ingest.sync.completeness_store import CompletenessStore
from bg_ingest.sync.connected_provider import ConnectedProvider
from bg_ingest.sync.job import JobKind, JobStatus, Order, Trigger
from bg_ingest.sync.jobs import Jobs
from bg_ingest.sync.run import Stores
from bg_ingest.sync.state import SyncStates
from bg_ingest.sync.sync_user import sync_user
from local.waiting import wait_until
from tests.e2e.at_dexcom import NOBODYS_INTERVAL_S
from tests.e2e.crowd import THREADS
from tests.e2e.witness import APPLICATION, DEVICES, EGVS, TOKEN, DexcomAccount
from tests.support.fakes import NOON, FakeClock
from tests.support.logins import store_tokens
from tests.support.providers import client_provider, token_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import httpx

    from local.stack import Stack
    from tests.e2e.crowd import ProcessGroup, Shared

pytestmark = [pytest.mark.e2e, pytest.mark.integration]

PROCESSES = 4
CALLERS = PROCESSES * THREADS
HOUR = timedelta(hours=1)
_PATIENCE_S = 120.0  # The syncs run one after the other.


def vault_of(shared: Shared, oauth: OAuth) -> Vault:
    """Return a process's vault."""
    keys = DataKeys(shared.client("kms"), shared.key_id, "e2e", SystemClock(), purpose=Purpose.TOKENS)
    connections = Connections(shared.table, SystemClock())
    return Vault(connections, Sealer(keys), client_provider(oauth=oauth))


def start_syncing(shared: Shared, readings_table: str) -> Callable[[], str]:
    """Make a sync of the last hours, which is tried until it gets the lease, and returns the token then."""
    clock, users = SystemClock(), shared.table
    http = polite_http(shared.dexcom, clock)
    vault = vault_of(shared, OAuth(http, APPLICATION, clock))
    connections = Connections(users, clock)
    stores = Stores(
        SyncStates(users, clock),
        Jobs(users, clock),
        ReadingStore(Table(shared.client("dynamodb"), readings_table), clock, 730),
        CompletenessStore(users, clock),
        lambda *_: 0,
    )
    source = partial(ConnectedProvider, connections, vault, client_provider(DexcomClient(http, clock)))

    def has_synced() -> bool:
        order = Order(shared.name, new_id(clock.now()), JobKind.INCREMENTAL, Trigger.API, "id")
        result = sync_user(order, stores=stores, source=source, clock=clock, time_left_s=lambda: _PATIENCE_S)
        assert result.busy or (result.job and result.job.status is JobStatus.SUCCEEDED)
        return not result.busy

    def sync() -> str:
        assert wait_until(has_synced, _PATIENCE_S)
        return token_for(vault, connections, shared.name)

    return sync


def test_one_refresh_serves_all_processes(
    shared: Shared, cloud: Stack, crowd: ProcessGroup, dexcom: httpx.Client
) -> None:
    """32 threads in 4 processes sync one user, whose token is rejected, from the same moment on.

    One has the lease, gets the 401 and refreshes. All end with the new token, and the connection is kept.
    """
    person = DexcomAccount(dexcom, "SandboxUser9")
    tokens, clock = person.login(), SystemClock()
    endpoint = Endpoint("dexcom", "custom")
    store_tokens(
        vault_of(shared, OAuth(dexcom, APPLICATION, clock)),
        shared.name,
        endpoint,
        tokens,
        data_from=clock.now() - HOUR,
    )
    SyncStates(shared.table, clock).start_polling(shared.name, NOBODYS_INTERVAL_S, clock.now() - HOUR)
    person.order("access_token_expired")
    before, read_before = person.answered(TOKEN), person.answered(EGVS)

    ended_with = set(crowd.run_at_once(PROCESSES, start_syncing, shared, cloud.readings_table))

    assert len(ended_with) == 1
    assert ended_with != {tokens.access_token}
    assert all(isinstance(token, str) for token in ended_with)
    assert person.answered(TOKEN) - before == {"200": 1}
    assert person.answered(EGVS) - read_before == {"200": CALLERS, "401": 1}
    connection = Connections(shared.table, clock).get(shared.name)
    assert connection
    assert connection.state is ConnectionState.CONNECTED


def start_calling(shared: Shared, access_token: str, hour: int) -> Callable[[], str]:
    """Make a call that uses the hourly budget as often as allowed, in an hour that does not end."""
    clock, in_that_hour = SystemClock(), FakeClock(NOON.replace(year=3000 + hour))
    quota = HourlyQuota(shared.table, in_that_hour, QuotaRules(calls_per_hour=600, sharers=8))
    hasty = RateLimiter(clock, RateRules(calls_max=10_000))
    http = polite_http(
        shared.dexcom, clock, admission=admission_control(clock, rate_limiter=hasty, quota=quota)
    )
    client = DexcomClient(http, clock)

    def call_until_refused() -> str:
        while True:
            try:
                client.devices(access_token)
            except QuotaSpent:
                return "spent"

    return call_until_refused


def test_eight_processes_use_the_hourly_budget_exactly(
    shared: Shared, crowd: ProcessGroup, dexcom: httpx.Client
) -> None:
    """Of 64 threads that want more, exactly 600 calls reach Dexcom."""
    person = DexcomAccount(dexcom, "SandboxUser9")
    token, before = person.login().access_token, person.answered(DEVICES).total()
    hour_of_this_test = int(shared.name[-8:], 16) % 5_000

    ended = crowd.run_at_once(8, start_calling, shared, token, hour_of_this_test)

    assert set(ended) == {"spent"}
    assert person.answered(DEVICES).total() - before == 600


RULES = CircuitRules(calls_min=5, settle=timedelta(0), failures_kept=timedelta(minutes=2))


def start_polling(
    shared: Shared, access_token: str, now: datetime, account: str | None = None
) -> Callable[[], str]:
    """Make a poll of the last hour in each thread, for one account or for an account per thread."""
    clock = SystemClock()
    breaker = SharedBreaker(shared.table, FakeClock(now), shared.name, RULES)
    admission = admission_control(clock, breaker=breaker)
    http = polite_http(shared.dexcom, clock, admission=admission)

    def poll() -> str:
        client = DexcomClient(http, clock, account_key=account or uuid4().hex)
        try:
            client.egvs(access_token, clock.now() - HOUR, clock.now())
        except CircuitOpen:
            return "not called"
        except TryLater:
            return "failed"
        return "read"

    return poll


def test_an_outage_stops_all_calls_until_one_probe_succeeds(
    shared: Shared, crowd: ProcessGroup, dexcom: httpx.Client
) -> None:
    """32 threads in 4 processes poll while Dexcom is down.

    Dexcom gets only the calls that open the breaker and those in flight. After the recovery time it gets
    one call. Once that one succeeds, all threads are served again.
    """
    person = DexcomAccount(dexcom, "SandboxUser10")
    token = person.login().access_token
    outage = person.order("status", status=503, path=EGVS)

    def poll(now: datetime) -> tuple[list[str], int]:
        before = person.answered(EGVS).total()
        outcomes = crowd.run_at_once(PROCESSES, start_polling, shared, token, now)
        return outcomes, person.answered(EGVS).total() - before

    _, calls = poll(NOON)
    # The failures of the first account do not count.
    assert RULES.calls_min <= calls <= RULES.calls_min + RULES.alone_failures + CALLERS - 1

    outcomes, calls = poll(NOON + RULES.recovery - timedelta(seconds=1))
    assert (set(outcomes), calls) == ({"not called"}, 0)

    outcomes, calls = poll(NOON + RULES.recovery)
    assert (set(outcomes), calls) == (
        {"not called"},
        1,
    )  # Dexcom refused the first calls, and the breaker the others.

    person.take_back(outage)
    outcomes, calls = poll(NOON + 2 * RULES.recovery)
    assert set(outcomes) <= {"read", "not called"}
    assert 1 <= calls == outcomes.count("read")

    outcomes, calls = poll(NOON + 2 * RULES.recovery)
    assert (set(outcomes), calls) == ({"read"}, CALLERS)


def test_a_failing_account_stops_only_its_own_calls(
    shared: Shared, crowd: ProcessGroup, dexcom: httpx.Client
) -> None:
    """32 threads call for one account that Dexcom always fails, then 32 threads for other accounts.

    The calls of the first account are refused as in an outage. The calls of the others are all admitted
    without a probe.
    """
    failing, person = DexcomAccount(dexcom, "SandboxUser10"), DexcomAccount(dexcom, "SandboxUser9")
    trouble = failing.order("status", status=503, path=EGVS)
    doomed, token = failing.login().access_token, person.login().access_token

    before = failing.answered(EGVS).total()

    crowd.run_at_once(PROCESSES, start_polling, shared, doomed, NOON, "A")
    calls = failing.answered(EGVS).total() - before
    again = crowd.run_at_once(PROCESSES, start_polling, shared, doomed, NOON, "A")
    others = crowd.run_at_once(PROCESSES, start_polling, shared, token, NOON)
    failing.take_back(trouble)

    assert RULES.alone_failures <= calls <= RULES.alone_failures + CALLERS - 1
    assert (set(again), failing.answered(EGVS).total() - before) == ({"not called"}, calls)
    assert set(others) == {"read"}
