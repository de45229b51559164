"""The calls that a sync makes to the simulated Dexcom, through the real client, vault and connection."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import boto3
import pytest

from bg_ingest.accounts.connection import Connections, ConnectionState
from bg_ingest.accounts.sealing import DataKeys, Purpose, Sealer
from bg_ingest.accounts.vault import NotConnected, Vault
from bg_ingest.erasing.erase import LEASE_WAIT_S_MAX
from bg_ingest.providers.seam import Endpoint
from bg_ingest.sync.connected_provider import UNCHECKED_S_MAX, AccountChanged, ConnectedProvider
from bg_ingest.sync.run import LeaseLost
from bg_ingest.sync.state import LEASE_TTL
from dexcom_sim.added_readings import AddedReading
from dexcom_sim.faults import AccessTokenExpired, LateUploads, UserRevoked
from tests.contract.dexcom_caller import CALLBACK, PERSON, Caller, connected
from tests.support.logins import store_tokens
from tests.support.providers import client_provider, token_for
from tests.support.turns import endless_turn

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bg_ingest.accounts.connection import Connection
    from bg_ingest.dynamo import Table
    from bg_ingest.providers.dexcom.client import DexcomClient
    from bg_ingest.providers.dexcom.responses import DataRange
    from bg_ingest.providers.seam import Fetched
    from bg_ingest.sync.state import Turn

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
_REGION = Endpoint("dexcom", "custom")


@dataclass(frozen=True)
class Slow:
    """A client that runs an action before it returns an answer."""

    client: DexcomClient
    action: Callable[[], object]

    def egvs(self, access_token: str, start: datetime, end: datetime) -> Fetched:
        """Dexcom's answer from before the action."""
        answer = self.client.egvs(access_token, start, end)
        self.action()
        return answer

    def data_range(self, access_token: str, last_sync_time: datetime | None = None) -> DataRange:
        """The answer of the client itself."""
        return self.client.data_range(access_token, last_sync_time)


@dataclass(frozen=True)
class Ada:
    """One connected user, and everything between her and the simulated Dexcom."""

    caller: Caller
    connections: Connections
    vault: Vault
    provider: ConnectedProvider

    def uploaded_since(self, since: datetime) -> tuple[datetime, datetime] | None:
        """The range of the data that was uploaded since then."""
        span = self.provider.uploaded_since("ada", since)
        return (span.start, span.end) if span else None

    def log_in_as(self, person: str) -> None:
        """Log in as this person at Dexcom."""
        code = self.caller.world.consents.grant_code(person, CALLBACK)
        tokens = self.caller.oauth.exchange(code)
        store_tokens(self.vault, "ada", _REGION, tokens, data_from=self.caller.now - 90 * DAY)

    def fetch_while(self, action: Callable[[], object]) -> Fetched:
        """Fetch the last hour a second time, and run an action before the answer is returned."""
        self.provider.readings("ada", self.caller.now - HOUR, self.caller.now)
        slow = Slow(self.caller.client, action)
        provider = ConnectedProvider(
            self.connections, self.vault, client_provider(slow), self.provider.turn, lambda: math.inf
        )
        return provider.readings("ada", self.caller.now - HOUR, self.caller.now)

    def add(self, at: datetime) -> None:
        """Upload a reading that was measured at this time."""
        world = self.caller.world
        reading = AddedReading(system_time=at, value=120)
        world.add_readings(world.people[PERSON], [reading])


@pytest.fixture
def ada(users_table: Table) -> Ada:
    """A user who has just logged in, and all of whose data has been uploaded."""
    caller = connected()
    kms = boto3.client("kms", region_name="eu-west-1")  # noqa: TID251 - there is no wiring here.
    sealer = Sealer(
        DataKeys(kms, kms.create_key()["KeyMetadata"]["KeyId"], "test", caller.clock, purpose=Purpose.TOKENS)
    )
    connections = Connections(users_table, caller.clock)
    providers = client_provider(caller.client, caller.oauth)
    vault = Vault(connections, sealer, providers)
    store_tokens(vault, "ada", _REGION, caller.tokens, data_from=caller.now - 90 * DAY)
    return Ada(
        caller,
        connections,
        vault,
        ConnectedProvider(connections, vault, providers, endless_turn(), lambda: math.inf),
    )


def test_without_uploads_one_call_returns_no_range(ada: Ada) -> None:
    """If the phone is offline, then one call shows that nothing was uploaded."""
    ada.caller.order(LateUploads(user=PERSON, delay_s=86_400))
    since = ada.caller.now
    ada.caller.clock.advance(3_600)

    assert ada.uploaded_since(since) is None
    assert ada.caller.calls == 1


def test_uploaded_since_begins_at_the_oldest_new_reading(ada: Ada) -> None:
    """A reading from three weeks ago that was just uploaded is the start of the range."""
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


def test_the_uploaded_range_can_be_fetched(ada: Ada) -> None:
    """Both ends of the range are readings of that range."""
    since = ada.caller.now
    ada.caller.clock.advance(7_200)
    span = ada.uploaded_since(since)
    assert span is not None

    fetched = ada.provider.readings("ada", span[0], span[1] + timedelta(seconds=1)).readings

    assert {min(it.at for it in fetched), max(it.at for it in fetched)} == set(span)


def test_after_a_month_all_data_is_in_the_range(ada: Ada) -> None:
    """Dexcom's answers for older times are wrong, so the whole history is requested."""
    span = ada.uploaded_since(ada.caller.now - 31 * DAY)

    assert span is not None
    assert span[0] < ada.caller.now - 300 * DAY


def test_a_rejected_token_is_refreshed_once(ada: Ada) -> None:
    """A rejected call costs one refresh and a second call."""
    ada.caller.order(AccessTokenExpired(user=PERSON))
    ada.caller.clock.advance(3_600)

    assert ada.uploaded_since(ada.caller.now - 2 * HOUR) is not None
    assert ada.caller.calls == 3


@pytest.mark.parametrize("ask", ["uploaded_since", "readings"])
def test_withdrawn_consent_ends_the_connection(ada: Ada, ask: str) -> None:
    """For every kind of call, withdrawn consent raises NotConnected."""
    ada.caller.order(UserRevoked(user=PERSON))
    now = ada.caller.now
    arguments = (now - HOUR,) if ask == "uploaded_since" else (now - HOUR, now)

    with pytest.raises(NotConnected):
        getattr(ada.provider, ask)("ada", *arguments)


def test_an_unconnected_user_causes_no_call(ada: Ada) -> None:
    """Without a connection NotConnected is raised before any call."""
    with pytest.raises(NotConnected):
        ada.provider.uploaded_since("bob", ada.caller.now)
    assert ada.caller.calls == 0


def test_readings_of_another_account_are_rejected(ada: Ada) -> None:
    """After a login with another Dexcom account, its readings raise AccountChanged."""
    now = ada.caller.now
    assert ada.provider.readings("ada", now - HOUR, now).readings
    ada.log_in_as("SandboxUser1")

    with pytest.raises(AccountChanged):
        ada.provider.readings("ada", now - HOUR, now)
    connection = ada.connections.get("ada")
    assert connection is not None
    assert connection.state is ConnectionState.NEEDS_REAUTH  # The user sees that a login is needed.


def test_an_answer_that_arrives_after_an_erasure_is_dropped(ada: Ada) -> None:
    """A fetch that began long before the erasure raises NotConnected."""

    def is_erased() -> None:
        ada.connections.table.delete("ada", "connection")
        ada.caller.clock.advance(UNCHECKED_S_MAX)

    with pytest.raises(NotConnected):
        ada.fetch_while(is_erased)


def test_an_answer_that_arrives_after_a_disconnect_is_dropped(ada: Ada) -> None:
    """A fetch that began long before the disconnect raises NotConnected."""

    def disconnects() -> None:
        ada.connections.disconnect("ada")
        ada.caller.clock.advance(UNCHECKED_S_MAX)

    with pytest.raises(NotConnected):
        ada.fetch_while(disconnects)


@pytest.mark.moto
def test_a_fast_answer_reads_the_connection_once(ada: Ada) -> None:
    """An answer within the time for which an erasure waits needs no second read."""
    client = ada.connections.table.client
    reads: list[str] = []
    client.meta.events.register("before-call.dynamodb.GetItem", lambda **_: reads.append("connection"))

    assert ada.fetch_while(lambda: ada.caller.clock.advance(UNCHECKED_S_MAX - 1)).readings
    assert len(reads) == 2  # One for each of the two fetches.


def test_an_erasure_waits_longer_than_an_unchecked_fetch() -> None:
    """An erasure removes what a sync stored whose answer was fast, because it waits for that sync."""
    assert LEASE_WAIT_S_MAX >= 2 * UNCHECKED_S_MAX


def test_an_answer_to_an_earlier_login_is_dropped(ada: Ada) -> None:
    """After an erasure and a login with another account, the old account's answer raises LeaseLost."""

    def starts_anew() -> None:
        ada.connections.table.delete("ada", "connection")
        ada.caller.clock.advance(20)
        ada.log_in_as("SandboxUser1")

    with pytest.raises(LeaseLost):
        ada.fetch_while(starts_anew)

    assert ada.fetch_while(lambda: None).readings


def _turn_of(connection: Connection, began_at: datetime) -> Turn:
    turn = endless_turn()
    state = replace(turn.state, connected_at=connection.connected_at)
    return replace(turn, state=state, began_at=began_at)


def test_a_sync_item_of_an_earlier_login_delays_syncs_only(ada: Ada) -> None:
    """After a restore it may have the time of an earlier login: syncs continue one lease after the login."""
    connection = ada.connections.get("ada")
    assert connection
    ada.caller.clock.advance(3_600)
    ada.log_in_as(PERSON)
    ada.caller.clock.advance(LEASE_TTL.total_seconds())
    now = ada.caller.now
    provider = replace(ada.provider, turn=_turn_of(connection, began_at=now))

    assert provider.readings("ada", now - HOUR, now).readings


@pytest.mark.parametrize("after_s", [0, 1])
def test_a_login_after_the_lease_ends_the_sync(ada: Ada, after_s: int) -> None:
    """Another sync may use the tokens of that login; those of the lease's own login are used."""
    connection = ada.connections.get("ada")
    assert connection
    provider = replace(ada.provider, turn=_turn_of(connection, began_at=ada.caller.now))
    ada.caller.clock.advance(after_s)
    ada.log_in_as(PERSON)
    now = ada.caller.now

    if after_s:
        with pytest.raises(LeaseLost):
            provider.readings("ada", now - HOUR, now)
        with pytest.raises(LeaseLost):
            provider.uploaded_since("ada", now - HOUR)
    else:
        assert provider.readings("ada", now - HOUR, now).readings


def test_a_refresh_during_a_fetch_does_not_drop_the_answer(ada: Ada) -> None:
    """New tokens are not a new login."""
    used = token_for(ada.vault, ada.connections, "ada")

    assert ada.fetch_while(lambda: token_for(ada.vault, ada.connections, "ada", rejected=used)).readings
