"""A refresh through the wired transport: HTTP client, breaker, quota and vault, while DynamoDB throttles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from botocore.exceptions import ClientError

from bg_ingest.accounts.connection import Connections
from bg_ingest.accounts.sealing import DataKeys, Purpose, Sealer
from bg_ingest.accounts.vault import Vault
from bg_ingest.dynamo import Table
from bg_ingest.providers.dexcom.oauth import Application, OAuth
from bg_ingest.providers.dexcom.regions import TOKEN
from bg_ingest.providers.errors import OutOfTime, TryLater
from bg_ingest.providers.http.circuit import CircuitRules
from bg_ingest.providers.http.http_client import admission_control, polite_http
from bg_ingest.providers.http.policy import Policy
from bg_ingest.providers.http.quota import PK as QUOTA
from bg_ingest.providers.http.quota import HourlyQuota
from bg_ingest.providers.http.send import Call, send
from bg_ingest.providers.http.shared_breaker import PK as BREAKER
from bg_ingest.providers.http.shared_breaker import SharedBreaker
from bg_ingest.providers.seam import Endpoint, Tokens
from tests.support.logins import store_tokens
from tests.support.moto_kms import kms_client, quick_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.accounts.connection import Connection
    from bg_ingest.providers.seam import ProviderAccount
    from tests.support.fakes import FakeClock

ADA = "ada"
EU = Endpoint("dexcom", "eu")
EXPIRED, CHAIN = "access-0", "refresh-0"


class ThrottledKey:
    """A DynamoDB client that refuses the requests for one partition key while `on`; it keeps a log."""

    def __init__(self, client: Any, pk: str, log: list[str]) -> None:
        self._client, self._pk, self._log = client, pk, log
        self.on = False

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        call = getattr(self._client, operation)

        def one_call(**request: Any) -> Any:
            key = request.get("Key") or request.get("Item") or {}
            self._log.append(f"{operation} {key.get('pk', {}).get('S')}")
            if self.on and key.get("pk", {}).get("S") == self._pk:
                error = {"Error": {"Code": "ProvisionedThroughputExceededException", "Message": ""}}
                raise ClientError(error, operation)  # type: ignore[arg-type] # the stub wants all members.
            return call(**request)

        return one_call


class Host:
    """A token endpoint whose refresh tokens work once, and a data endpoint that can fail."""

    def __init__(self, clock: FakeClock, log: list[str]) -> None:
        self._clock, self._log = clock, log
        self.given = 0
        self.answers_in_s = 0.0
        self.status = 500
        self.refreshes = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The response to one request; a read timeout cuts a slow one off after it was processed."""
        self._log.append(request.url.path)
        if request.url.path != TOKEN:
            return httpx.Response(self.status, json={})
        self.refreshes += 1
        spent = f"refresh_token=refresh-{self.given}" not in request.content.decode()
        if spent:
            return httpx.Response(400, json={"error": "invalid_grant"})
        self.given += 1
        timeout_s = request.extensions["timeout"]["read"]
        self._clock.advance(min(self.answers_in_s, timeout_s))
        if self.answers_in_s > timeout_s:
            raise httpx.ReadTimeout("slow")
        names = {"access_token": f"access-{self.given}", "refresh_token": f"refresh-{self.given}"}
        return httpx.Response(200, json=names | {"expires_in": 7200})


class WiredLogin:
    """Dexcom's OAuth client over the wired transport."""

    def __init__(self, http: httpx.Client, clock: FakeClock) -> None:
        self._http, self._clock = http, clock

    def refresh(self, account: ProviderAccount, refresh_token: str) -> Tokens:
        """New tokens."""
        application = Application("id", "secret", "https://us.test/callback")
        oauth = OAuth(self._http, application, self._clock, account.time_left_s, account.account_key)
        return oauth.refresh(refresh_token)


class WiredProvider:
    """As much of a provider as the vault uses."""

    def __init__(self, login: WiredLogin) -> None:
        self.login = login


class Wired:
    """One process, wired as in production, with a fault for the items of one partition key."""

    def __init__(self, users_table: Table, clock: FakeClock, throttled: str) -> None:
        self.log: list[str] = []
        self.fault = ThrottledKey(users_table.client, throttled, self.log)
        client: Any = self.fault
        table = Table(client, users_table.name)
        self.host = Host(clock, self.log)
        self.breaker = SharedBreaker(table, clock, "https://api.dexcom.eu")
        admission = admission_control(clock, breaker=self.breaker, quota=HourlyQuota(table, clock))
        inner = httpx.MockTransport(self.host)
        self.http = polite_http("https://api.dexcom.eu", clock, admission=admission, inner=inner)
        kms = kms_client()
        sealer = Sealer(DataKeys(kms, quick_key(kms), "test", clock, purpose=Purpose.TOKENS))
        self._connections = Connections(table, clock)
        provider: Any = WiredProvider(WiredLogin(self.http, clock))
        self.vault = Vault(self._connections, sealer, {EU.provider: provider})
        expired = Tokens(EXPIRED, CHAIN, clock.now())
        store_tokens(self.vault, ADA, EU, expired, data_from=clock.now())

    @property
    def connection(self) -> Connection:
        """The stored connection."""
        found = self._connections.get(ADA)
        assert found is not None
        return found

    def fail_a_call(self, account_key: str = "B") -> None:
        """One data call fails, so that the breaker has something to record."""
        self.host.status = 500
        with pytest.raises(TryLater):
            send(self.http, "GET", Call("egvs", "/v3/egvs", account_key=account_key))

    def token(self, time_left_s: float = 100.0) -> str:
        """A valid token for a caller with this much time."""
        connection = self.connection
        token = self.vault.valid_token(connection)
        return token or self.vault.refreshed_token(connection, connection.account_at(lambda: time_left_s))


@pytest.fixture(params=[BREAKER, QUOTA])
def wired(request: pytest.FixtureRequest, users_table: Table, clock: FakeClock) -> Wired:
    """A process whose breaker's, or quota's, item can be throttled."""
    return Wired(users_table, clock, request.param)


def test_throttled_bookkeeping_keeps_a_refreshed_token(wired: Wired) -> None:
    """With the item throttled around a refresh after a failure, the new tokens are stored and used."""
    wired.fail_a_call()
    wired.fault.on = True

    assert wired.token() == "access-1"

    assert wired.host.refreshes == 1
    assert wired.token() == "access-1"


def test_no_request_between_a_refresh_and_its_storing(wired: Wired) -> None:
    """Between the answer to a refresh and the write of its tokens there is no other request."""
    wired.fail_a_call()
    wired.log.clear()

    wired.token()

    answered = wired.log.index(TOKEN)
    assert wired.log[answered + 1 :] == [f"update_item {ADA}"]


def test_a_refresh_that_probes_stores_its_tokens_first(wired: Wired, clock: FakeClock) -> None:
    """The breaker learns of the probe's success after the tokens are stored, and closes."""
    for account_key in "BCDE":
        wired.fail_a_call(account_key)
    assert wired.breaker.is_open()
    clock.advance(CircuitRules().recovery.total_seconds() + 1)
    wired.log.clear()

    assert wired.token() == "access-1"

    answered = wired.log.index(TOKEN)
    assert wired.log[answered + 1 :] == [f"update_item {ADA}"]
    assert not wired.breaker.is_open()


def test_throttled_bookkeeping_fails_no_data_call(wired: Wired) -> None:
    """While the item is throttled for five minutes, data calls continue and their answers are used."""
    wired.fail_a_call()
    wired.fault.on = True
    wired.host.status = 200
    for _ in range(300):
        assert send(wired.http, "GET", Call("egvs", "/v3/egvs", account_key="B")).status_code == 200


@pytest.mark.parametrize("left_s", [5.5, 29.0, 51.9])
def test_no_refresh_begins_without_time(wired: Wired, left_s: float) -> None:
    """With less time than an attempt and 10 s for storing, no refresh begins, and no token is spent."""
    wired.host.answers_in_s = 2.5

    with pytest.raises(OutOfTime):
        wired.token(left_s)

    assert wired.host.refreshes == 0
    assert wired.token() == "access-1"


def test_refresh_timeouts_are_never_shortened(wired: Wired) -> None:
    """A refresh that just fits the caller's time waits for a slow answer with the whole read timeout."""
    wired.host.answers_in_s = Policy().timeouts.read_s - 0.1

    assert wired.token(Policy().single_s_min) == "access-1"


def test_a_refresh_has_time_for_its_answer_and_write() -> None:
    """The time that must be left covers one attempt, and ten seconds for the write and its repetitions."""
    policy = Policy()

    assert policy.timeouts.attempt_s_max <= policy.time_s_max
    assert policy.single_s_min >= policy.timeouts.attempt_s_max + 10
