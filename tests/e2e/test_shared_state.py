"""State that many processes share, under real parallelism, with the calls counted by the simulated Dexcom.

Moto loses updates under threads, so these tests use the emulated AWS: processes with eight threads each,
started at the same moment, with the client of a sync.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from bg_ingest.accounts.connection import Connections, ConnectionState
from bg_ingest.accounts.sealing import DataKeys, Purpose, Sealer
from bg_ingest.accounts.vault import Vault, VaultLimits
from bg_ingest.clock import SystemClock
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
from bg_ingest.sync.connected_provider import ConnectedProvider
from tests.e2e.crowd import THREADS
from tests.e2e.witness import APPLICATION, DEVICES, EGVS, TOKEN, DexcomAccount
from tests.support.fakes import NOON, FakeClock
from tests.support.logins import store_tokens
from tests.support.providers import client_provider, token_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import httpx

    from tests.e2e.crowd import ProcessGroup, Shared

pytestmark = [pytest.mark.e2e, pytest.mark.integration]

PROCESSES = 4
CALLERS = PROCESSES * THREADS
HOUR = timedelta(hours=1)


def vault_of(shared: Shared, oauth: OAuth) -> Vault:
    """Return a process's vault; its timeouts are long, because 32 threads and an emulator share few cores."""
    keys = DataKeys(shared.client("kms"), shared.key_id, "e2e", SystemClock(), purpose=Purpose.TOKENS)
    patient = VaultLimits(waits_s=(0.5,) * 60)
    connections = Connections(shared.table, SystemClock())
    return Vault(connections, Sealer(keys), client_provider(oauth=oauth), patient)


def start_reading(shared: Shared) -> Callable[[], str]:
    """Make a call that reads the last hour as a sync does, and returns the token it ended with."""
    clock = SystemClock()
    http = polite_http(shared.dexcom, clock)
    vault = vault_of(shared, OAuth(http, APPLICATION, clock))
    connections = Connections(shared.table, clock)
    providers = client_provider(DexcomClient(http, clock))
    provider = ConnectedProvider(connections, vault, providers, lambda: math.inf)

    def read() -> str:
        provider.readings(shared.name, clock.now() - HOUR, clock.now())
        return token_for(vault, connections, shared.name)

    return read


def test_one_refresh_serves_all_processes(shared: Shared, crowd: ProcessGroup, dexcom: httpx.Client) -> None:
    """32 threads in 4 processes get a 401 for the same token at the same moment.

    Dexcom gets one refresh, every thread ends with the new token and the readings, and the connection is
    kept.
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
    person.order("access_token_expired")
    before, read_before = person.answered(TOKEN), person.answered(EGVS)

    ended_with = set(crowd.run_at_once(PROCESSES, start_reading, shared))

    assert len(ended_with) == 1
    assert ended_with != {tokens.access_token}
    assert all(isinstance(token, str) for token in ended_with)
    assert person.answered(TOKEN) - before == {"200": 1}
    answered = person.answered(EGVS) - read_before
    assert answered["200"] == CALLERS
    assert 1 <= answered["401"] <= CALLERS
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
