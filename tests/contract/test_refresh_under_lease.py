"""
One refresher per source: whole syncs with the wired client, and a second sync at every step of the first.

The provider's refresh tokens work once. The sync lease is the only thing that keeps two processes apart.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bg_ingest.accounts.connection import Connections, ConnectionState
from bg_ingest.accounts.sealing import Purpose
from bg_ingest.accounts.vault import Vault
from bg_ingest.clock import new_id
from bg_ingest.dynamo import Table
from bg_ingest.providers.dexcom.oauth import Application
from bg_ingest.providers.dexcom.provider import NAME, DexcomProvider
from bg_ingest.providers.dexcom.regions import TOKEN
from bg_ingest.providers.http.http_client import admission_control, polite_http
from bg_ingest.providers.http.policy import Policy
from bg_ingest.providers.http.quota import HourlyQuota
from bg_ingest.providers.http.shared_breaker import SharedBreaker
from bg_ingest.providers.seam import Endpoint, Tokens
from bg_ingest.readings.store import ReadingStore
from bg_ingest.sync.completeness_store import CompletenessStore
from bg_ingest.sync.connected_provider import ConnectedProvider
from bg_ingest.sync.job import JobKind, JobStatus, Order, SyncResult, Trigger
from bg_ingest.sync.jobs import Jobs
from bg_ingest.sync.run import Stores
from bg_ingest.sync.state import LEASE_TTL, SyncStates
from bg_ingest.sync.sync_user import sync_user
from tests.contract.stepped import At, Crash, crash, stepped
from tests.support.fake_kms import fake_sealer
from tests.support.fakes import NOON, FakeClock
from tests.support.logins import store_tokens
from tests.support.memory_dynamo import MemoryDynamo

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.accounts.connection import Connection

    OnStep = Callable[[str], None]

pytestmark = pytest.mark.exhaustive

URL = "https://api.dexcom.eu"
LEASE_S = LEASE_TTL.total_seconds()


class SingleUseHost:
    """Dexcom with refresh tokens that work once; it counts those that came a second time."""

    def __init__(self) -> None:
        self.given = 0
        self.refreshes = 0
        self.used_again = 0
        self.rejects = 0  # How many of the next data calls get a 401.

    def answer(self, request: httpx.Request, turn: OnStep) -> httpx.Response:
        """The response to one request."""
        if request.url.path != TOKEN:
            self.rejects -= 1
            if self.rejects >= 0 or request.headers["Authorization"] != f"Bearer access-{self.given}":
                return httpx.Response(401, json={})
            return httpx.Response(200, json={"recordType": "egv", "userId": "u", "records": []})
        turn("before refresh")
        self.refreshes += 1
        if f"refresh_token=refresh-{self.given}" not in request.content.decode():
            self.used_again += 1
            return httpx.Response(400, json={"error": "invalid_grant"})
        tokens = self.login()
        turn("after refresh")
        return httpx.Response(200, json=tokens | {"expires_in": 7_200})

    def login(self) -> dict[str, str]:
        """New tokens; those before are not accepted any more."""
        self.given += 1
        return {"access_token": f"access-{self.given}", "refresh_token": f"refresh-{self.given}"}


class ExpiredUser:
    """A connected user whose access token has expired, and processes that sync them."""

    def __init__(self) -> None:
        self.clock, self.host, self.memory = FakeClock(), SingleUseHost(), MemoryDynamo()
        self.sealer = fake_sealer(self.clock, Purpose.TOKENS)
        self.log_in()

    def log_in(self) -> None:
        """Log in with an access token that has expired, and start polling."""
        given = self.host.login()
        tokens = Tokens(given["access_token"], given["refresh_token"], self.clock.now())
        store_tokens(self._vault(lambda _: None), "ada", Endpoint(NAME, "eu"), tokens, data_from=NOON)
        self._stores(lambda _: None).states.start_polling("ada", 900, NOON)

    @property
    def connection(self) -> Connection:
        """The stored connection."""
        found = Connections(self._users(lambda _: None), self.clock).get("ada")
        assert found is not None
        return found

    def sync(self, turn: OnStep = lambda _: None) -> SyncResult:
        """Poll in a process of its own, which reports its steps to `turn`."""
        order = Order("ada", new_id(self.clock.now()), JobKind.INCREMENTAL, Trigger.SCHEDULE, "id")
        vault, ends_at_s = self._vault(turn), self.clock.monotonic_s() + 10 * LEASE_S
        return sync_user(
            order,
            stores=self._stores(turn),
            source=partial(ConnectedProvider, vault.connections, vault, self._providers(turn)),
            clock=self.clock,
            time_left_s=lambda: ends_at_s - self.clock.monotonic_s(),
        )

    def _users(self, turn: OnStep) -> Table:
        client: Any = stepped(self.memory, turn)
        return Table(client, "users")

    def _vault(self, turn: OnStep) -> Vault:
        connections = Connections(self._users(turn), self.clock)
        return Vault(connections, self.sealer, self._providers(turn))

    def _providers(self, turn: OnStep) -> dict[str, Any]:
        users = self._users(turn)
        admission = admission_control(
            self.clock, breaker=SharedBreaker(users, self.clock, URL), quota=HourlyQuota(users, self.clock)
        )
        inner = httpx.MockTransport(lambda request: self.host.answer(request, turn))
        http = polite_http(URL, self.clock, admission=admission, inner=inner)
        application = Application("id", "secret", "https://bg.example.org/oauth/callback")
        return {NAME: DexcomProvider(lambda _: http, lambda: application, self.clock, URL)}

    def _stores(self, turn: OnStep) -> Stores:
        users, readings = self._users(turn), Table(stepped(self.memory, turn), "readings")  # type: ignore[arg-type]  # A stand-in.
        return Stores(
            SyncStates(users, self.clock),
            Jobs(users, self.clock),
            ReadingStore(readings, self.clock, 730),
            CompletenessStore(users, self.clock),
            lambda *_: 0,
        )


def steps_of_a_sync() -> list[tuple[str, int]]:
    """Every step of a sync that refreshes, with its number among the steps of the same name."""
    seen = At("never", crash)
    assert ExpiredUser().sync(seen).job
    return [(step, seen.steps[: index + 1].count(step)) for index, step in enumerate(seen.steps)]


STEPS = steps_of_a_sync()
TAKEN = STEPS.index(("after update_item", 1))  # The lease.
ASKED = STEPS.index(("before refresh", 1))
ANSWERED = STEPS.index(("after refresh", 1))


def test_the_next_step_after_an_answer_is_its_write() -> None:
    """Nothing that can fail or wait lies between the provider's answer and the write of the tokens."""
    step, nth = STEPS[ANSWERED + 1]

    assert step == "before update_item"
    assert STEPS[ANSWERED + 2] == ("after update_item", nth)


def test_a_rejected_new_token_is_refreshed_with_its_successor() -> None:
    """A token that is rejected right after its refresh: the used refresh token is not sent again."""
    user = ExpiredUser()
    user.host.rejects = 1

    job = user.sync().job

    assert job
    assert job.status is JobStatus.SUCCEEDED
    assert (user.host.refreshes, user.host.used_again) == (2, 0)


@pytest.mark.parametrize(("step", "nth"), STEPS)
def test_a_second_sync_at_any_step_uses_no_token_twice(step: str, nth: int) -> None:
    """One of the two refreshes, and the connection stays."""
    user = ExpiredUser()
    user.sync(At(step, user.sync, nth))

    assert (user.host.refreshes, user.host.used_again) == (1, 0)
    assert user.connection.state is ConnectionState.CONNECTED


@pytest.mark.parametrize(("step", "nth"), STEPS[TAKEN:ASKED])
@pytest.mark.parametrize("others", [0, 1])
def test_a_sync_paused_past_its_lease_refreshes_no_token(step: str, nth: int, others: int) -> None:
    """Neither if another process has refreshed meanwhile, nor if none has; the order is retried."""
    user = ExpiredUser()

    def pause() -> None:
        user.clock.advance(LEASE_S)
        for _ in range(others):
            assert user.sync().job

    result = user.sync(At(step, pause, nth))

    assert (user.host.refreshes, user.host.used_again) == (others, 0)
    assert user.connection.state is ConnectionState.CONNECTED
    if not others:
        assert result.job
        assert (result.job.status, result.rest) == (JobStatus.DEFERRED, result.job.order)


@pytest.mark.parametrize(("left_s", "refreshes"), [(1.0, 0), (-0.5, 0), (0.0, 1), (5.0, 1)])
def test_a_refresh_needs_time_of_the_lease(left_s: float, refreshes: int) -> None:
    """It begins with just the time for an answer and for storing it, and not with less."""
    left_s += Policy().single_s_min if left_s != 1.0 else 0.0
    user = ExpiredUser()
    pause = partial(user.clock.advance, LEASE_S - left_s)

    user.sync(At("after update_item", pause))

    assert user.host.refreshes == refreshes


@pytest.mark.parametrize(("step", "nth"), STEPS)
def test_after_a_killed_sync_the_next_one_gets_a_token(step: str, nth: int) -> None:
    """Once the lease has expired. Only between answer and write the connection is lost."""
    user = ExpiredUser()
    with pytest.raises(Crash):
        user.sync(At(step, crash, nth))
    assert user.sync().busy is (TAKEN <= STEPS.index((step, nth)) < len(STEPS) - 1)
    user.clock.advance(LEASE_S)

    user.sync()

    in_window = ANSWERED <= STEPS.index((step, nth)) <= ANSWERED + 1
    state = ConnectionState.NEEDS_REAUTH if in_window else ConnectionState.CONNECTED
    assert (user.connection.state, user.host.used_again) == (state, in_window)


@pytest.mark.parametrize(("step", "nth"), STEPS[TAKEN:ASKED])
def test_a_login_during_a_sync_is_not_refreshed_by_it(step: str, nth: int) -> None:
    """The login has ended the lease: the next sync uses its tokens, and it may run at the same time."""
    user = ExpiredUser()

    def log_in() -> None:
        user.clock.advance(1)
        user.log_in()

    user.sync(At(step, log_in, nth))

    assert user.host.given == 2  # No refresh has been answered.
    assert user.connection.state is ConnectionState.CONNECTED
    user.sync()
    assert (user.host.given, user.connection.state) == (3, ConnectionState.CONNECTED)
