"""What a sync asks of the simulated Dexcom, through the real client, vault and connection."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import boto3
import pytest

from bg_ingest.accounts.connection import Connections, ConnectionState
from bg_ingest.accounts.data_keys import DataKeys
from bg_ingest.accounts.sealing import Sealer
from bg_ingest.accounts.vault import NotConnected, Vault
from bg_ingest.providers.seam import Endpoint
from bg_ingest.sync.connected_provider import AccountChanged, ConnectedProvider
from bg_ingest.sync.run import LeaseLost
from dexcom_sim.added_readings import AddedReading
from dexcom_sim.faults import AccessTokenExpired, LateUploads, UserRevoked
from tests.contract.dexcom_caller import CALLBACK, PERSON, Caller, connected
from tests.support.providers import client_provider, token_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bg_ingest.dynamo import Table
    from bg_ingest.providers.dexcom.client import DexcomClient
    from bg_ingest.providers.dexcom.responses import DataRange
    from bg_ingest.providers.seam import Fetched

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
_REGION = Endpoint("dexcom", "custom", "http://dexcom.sim")


@dataclass(frozen=True)
class Slow:
    """A client whose answers take long enough for something to happen."""

    client: DexcomClient
    deed: Callable[[], object]

    def egvs(self, access_token: str, start: datetime, end: datetime) -> Fetched:
        """What Dexcom said before it happened."""
        answer = self.client.egvs(access_token, start, end)
        self.deed()
        return answer

    def data_range(self, access_token: str, last_sync_time: datetime | None = None) -> DataRange:
        """As the client itself."""
        return self.client.data_range(access_token, last_sync_time)


@dataclass(frozen=True)
class Ada:
    """One connected user, and everything between her and the simulated Dexcom."""

    caller: Caller
    connections: Connections
    vault: Vault
    provider: ConnectedProvider

    def uploaded_since(self, since: datetime) -> tuple[datetime, datetime] | None:
        """From when to when there is data that Dexcom was given since."""
        span = self.provider.uploaded_since("ada", since)
        return (span.start, span.end) if span else None

    def log_in_as(self, person: str) -> None:
        """She logs in as whom she chooses."""
        code = self.caller.world.consents.grant_code(person, CALLBACK)
        tokens = self.caller.oauth.exchange(code)
        self.vault.store("ada", _REGION, tokens, data_from=self.caller.now - 90 * DAY)

    def fetch_while(self, deed: Callable[[], object]) -> Fetched:
        """The last hour's readings, asked for again; something is done while the answer is on its way."""
        self.provider.readings("ada", self.caller.now - HOUR, self.caller.now)
        slow = Slow(self.caller.client, deed)
        provider = ConnectedProvider(self.connections, self.vault, client_provider(slow), lambda: math.inf)
        return provider.readings("ada", self.caller.now - HOUR, self.caller.now)

    def add(self, at: datetime) -> None:
        """A device uploads a reading now that it made then."""
        world = self.caller.world
        reading = AddedReading(system_time=at, value=120)
        world.add_readings(world.people[PERSON], [reading])


@pytest.fixture
def ada(users_table: Table) -> Ada:
    """She has just logged in; everything she measured has been uploaded."""
    caller = connected()
    kms = boto3.client("kms", region_name="eu-west-1")  # noqa: TID251 - there is no wiring here.
    sealer = Sealer(DataKeys(kms, kms.create_key()["KeyMetadata"]["KeyId"], "test", caller.clock))
    connections = Connections(users_table, caller.clock)
    providers = client_provider(caller.client, caller.oauth)
    vault = Vault(connections, sealer, providers)
    vault.store("ada", _REGION, caller.tokens, data_from=caller.now - 90 * DAY)
    return Ada(caller, connections, vault, ConnectedProvider(connections, vault, providers, lambda: math.inf))


def test_nothing_new_is_nothing(ada: Ada) -> None:
    """Her phone is out of reach: nothing was uploaded since, and one call says so."""
    ada.caller.order(LateUploads(user=PERSON, delay_s=86_400))
    since = ada.caller.now
    ada.caller.clock.advance(3_600)

    assert ada.uploaded_since(since) is None
    assert ada.caller.calls == 1


def test_it_says_from_when_on_something_was_uploaded(ada: Ada) -> None:
    """A reading of three weeks ago, uploaded a minute ago, is where the span begins; it ends now."""
    since = ada.caller.now
    ada.caller.clock.advance(3_600)
    late = since - 21 * DAY
    ada.add(late)
    ada.caller.clock.advance(60)

    span = ada.uploaded_since(since)

    assert span is not None
    assert span[0] == late
    assert since < span[1] <= ada.caller.now
    assert ada.uploaded_since(ada.caller.now) is None


def test_what_it_names_can_be_fetched(ada: Ada) -> None:
    """The two ends of the span are readings of the very range."""
    since = ada.caller.now
    ada.caller.clock.advance(7_200)
    span = ada.uploaded_since(since)
    assert span is not None

    fetched = ada.provider.readings("ada", span[0], span[1] + timedelta(seconds=1)).readings

    assert {min(it.at for it in fetched), max(it.at for it in fetched)} == set(span)


def test_after_a_month_it_asks_for_everything(ada: Ada) -> None:
    """Dexcom's answers about what is older are wrong, so it is asked for all there is."""
    span = ada.uploaded_since(ada.caller.now - 31 * DAY)

    assert span is not None
    assert span[0] < ada.caller.now - 300 * DAY


def test_a_token_that_is_not_accepted_is_refreshed_once(ada: Ada) -> None:
    """A call that is refused, a refresh, and the call again."""
    ada.caller.order(AccessTokenExpired(user=PERSON))
    ada.caller.clock.advance(3_600)

    assert ada.uploaded_since(ada.caller.now - 2 * HOUR) is not None
    assert ada.caller.calls == 3


@pytest.mark.parametrize("ask", ["uploaded_since", "readings"])
def test_consent_that_was_withdrawn_ends_the_connection(ada: Ada, ask: str) -> None:
    """Whatever is asked for: only the person can help."""
    ada.caller.order(UserRevoked(user=PERSON))
    now = ada.caller.now
    arguments = (now - HOUR,) if ask == "uploaded_since" else (now - HOUR, now)

    with pytest.raises(NotConnected):
        getattr(ada.provider, ask)("ada", *arguments)


def test_who_never_connected_is_not_asked_about(ada: Ada) -> None:
    """No connection, no call."""
    with pytest.raises(NotConnected):
        ada.provider.uploaded_since("bob", ada.caller.now)
    assert ada.caller.calls == 0


def test_another_persons_readings_are_not_taken(ada: Ada) -> None:
    """She logs in again as somebody else at Dexcom: what comes back is not hers."""
    now = ada.caller.now
    assert ada.provider.readings("ada", now - HOUR, now).readings
    ada.log_in_as("SandboxUser1")

    with pytest.raises(AccountChanged):
        ada.provider.readings("ada", now - HOUR, now)
    connection = ada.connections.get("ada")
    assert connection is not None
    assert connection.state is ConnectionState.NEEDS_REAUTH  # Nobody is told that all is well.


def test_an_answer_that_comes_after_an_erasure_is_not_taken(ada: Ada) -> None:
    """It was asked for in a life that is over."""
    with pytest.raises(NotConnected):
        ada.fetch_while(lambda: ada.connections.table.delete("ada", "connection"))


def test_an_answer_that_comes_after_the_connection_was_ended_is_not_taken(ada: Ada) -> None:
    """Whoever ended it said that nothing more is to come in."""
    with pytest.raises(NotConnected):
        ada.fetch_while(lambda: ada.connections.disconnect("ada"))


def test_an_answer_to_the_login_before_is_not_taken(ada: Ada) -> None:
    """Erased, and logged in as somebody else while Dexcom was slow: the old account is not the new one's."""

    def starts_anew() -> None:
        ada.connections.table.delete("ada", "connection")
        ada.caller.clock.advance(20)
        ada.log_in_as("SandboxUser1")

    with pytest.raises(LeaseLost):
        ada.fetch_while(starts_anew)

    assert ada.fetch_while(lambda: None).readings


def test_a_refresh_meanwhile_does_not_matter(ada: Ada) -> None:
    """New tokens are no new login."""
    used = token_for(ada.vault, ada.connections, "ada")

    assert ada.fetch_while(lambda: token_for(ada.vault, ada.connections, "ada", rejected=used)).readings
