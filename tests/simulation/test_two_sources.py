"""Users with the provider of their sensor and a relay at once: the real dispatcher and engine.

The provider has a measurement one to four hours late, and corrects some. The relay has it within seconds, at
an instant of its own. It is a Nightscout, so its records pass through the real client and parser.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest

from bg_ingest.accounts.connection import Connections
from bg_ingest.dynamo import Table
from bg_ingest.providers.errors import Unavailable
from bg_ingest.providers.nightscout.site_login import OWN_SITE
from bg_ingest.providers.seam import Fetched, Span
from bg_ingest.readings.model import Device, Reading
from bg_ingest.readings.store import ReadingStore
from bg_ingest.sync.completeness_store import CompletenessStore
from bg_ingest.sync.connected_provider import ConnectedProvider
from bg_ingest.sync.jobs import Jobs
from bg_ingest.sync.run import Stores
from bg_ingest.sync.state import SyncStates
from bg_ingest.sync.sync_user import sync_user
from tests.support.fakes import NOON, FakeClock
from tests.support.logins import save_login
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.relayed_site import RelayedSites, SiteTokens
from tests.support.third_provider import THIRD, ThirdProvider, UserIdTokens
from tests.support.ticking import tick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bg_ingest.accounts.connection import Connection
    from bg_ingest.providers.seam import Provider, ProviderAccount
    from bg_ingest.readings.stored.stored_reading import StoredReading
    from bg_ingest.sync.job import Order

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
PHONE = Device("g7", "iOS", "G7", "transmitter")
UPLOADER = Device(display="xDrip")
USERS = ("ada", "bob")
# A day without gaps: later polls of the provider start where its own readings end.
BEFORE_HOURS = 23
RELAY = OWN_SITE.provider


@dataclass(frozen=True)
class Sent:
    """A record, and since when its source serves it."""

    reading: Reading
    since: datetime


@dataclass
class Side:
    """One source of all users, as far as it has uploaded its records."""

    clock: FakeClock
    sent: dict[str, list[Sent]] = field(default_factory=dict)
    down: bool = False

    def readings(self, user_id: str, start: datetime, end: datetime) -> Fetched:
        """The last uploaded content of each record of `[start, end)`."""
        if self.down:
            raise Unavailable("503")
        newest = {each.reading.at: each.reading for each in self._uploaded(user_id)}
        return Fetched(tuple(reading for at, reading in newest.items() if start <= at < end))

    def uploaded_since(self, user_id: str, since: datetime) -> Span | None:
        """The span of the records uploaded since then."""
        if self.down:
            raise Unavailable("503")
        instants = [each.reading.at for each in self._uploaded(user_id) if each.since > since]
        return Span(min(instants), max(instants)) if instants else None

    def _uploaded(self, user_id: str) -> Iterator[Sent]:
        now = self.clock.now()
        return (each for each in self.sent[user_id] if each.since <= now)


class BothTokens:
    """A vault without secrets for both sources."""

    def valid_token(self, connection: Connection, *, rejected: str | None = None) -> str:
        """The token that the source of this connection expects."""
        tokens = SiteTokens() if connection.relays else UserIdTokens()
        return tokens.valid_token(connection, rejected=rejected)

    def refreshed_token(self, _: Connection, __: ProviderAccount) -> str:
        """Never called: every token is valid."""
        raise AssertionError


class TwoSources:
    """Two users, each with both sources, connected in either order at noon."""

    def __init__(self, seed: int, hours: int, corrected: float = 0.05) -> None:
        self.clock, self.chance = FakeClock(), random.Random(seed)  # noqa: S311 - every run must be the same.
        self.corrected = corrected  # The share of values that the provider corrects later.
        self.own, self.relay = Side(self.clock), Side(self.clock)
        self.values: dict[str, list[int]] = {user_id: self._measure(user_id, hours) for user_id in USERS}
        self.users = Table(cast("Any", MemoryDynamo()), "users")
        self.readings = ReadingStore(Table(cast("Any", MemoryDynamo()), "readings"), self.clock, 730)
        self.connections = Connections(self.users, self.clock)
        self.stores = Stores(
            SyncStates(self.users, self.clock, 900),
            Jobs(self.users, self.clock),
            self.readings,
            CompletenessStore(self.users, self.clock),
            lambda *_: 0,
        )
        third, site = ThirdProvider(self.own), RelayedSites(self.relay, self.clock).provider()
        self.providers: dict[str, Provider] = {third.name: third, site.name: site}
        for number, user_id in enumerate(USERS):
            both = [(THIRD, None, False), (OWN_SITE, 300, True)]
            for endpoint, interval_s, relays in both if number % 2 else both[::-1]:
                source, _ = self.connections.to(user_id, endpoint.provider)
                save_login(
                    self.connections,
                    user_id,
                    endpoint,
                    b"sealed",
                    data_from=NOON,
                    source=source,
                    relays=relays,
                )
                self.stores.states.start_polling(user_id, interval_s, NOON, source, relays=relays)

    def _measure(self, user_id: str, hours: int) -> list[int]:
        """Make the records of both sides; return the values that count in the end."""
        own, relay, values, chance = [], [], [], self.chance
        for number in range(-BEFORE_HOURS * 12, hours * 12):
            at, mg_dl = NOON + 5 * MINUTE * number, chance.randrange(60, 250)
            record = Reading(
                at + SECOND * chance.randrange(9),
                mg_dl,
                "flat",
                device=PHONE,
                transmitter_ticks=90_000 + 300 * number,
            )
            late = at + HOUR + MINUTE * chance.randrange(180)
            own.append(Sent(record, late))
            relayed = replace(
                record,
                at=at + SECOND * chance.randrange(-5, 12),
                device=UPLOADER,
                transmitter_ticks=None,
            )
            relay.append(Sent(relayed, relayed.at + SECOND * chance.randrange(3, 20)))
            if number >= 0 and chance.random() < self.corrected:
                mg_dl += 2
                own.append(Sent(replace(record, mg_dl=mg_dl), late + MINUTE * chance.randrange(20, 30)))
            values.append(mg_dl)
        self.own.sent[user_id], self.relay.sent[user_id] = own, relay
        return values

    def run(self, hours: int) -> None:
        """Run the dispatcher each minute, and each order some seconds later."""
        for _ in range(hours * 60):
            minute, orders = self.clock.now(), cast("list[Order]", [])
            tick(
                table=self.users, send=orders.extend, intervals_s={300, 900, 3_600, 21_600}, clock=self.clock
            )
            for seconds, order in sorted(
                ((self.chance.randrange(2, 30), order) for order in orders), key=lambda each: each[0]
            ):
                self.clock.advance((minute + SECOND * seconds - self.clock.now()).total_seconds())
                self._sync(order)
            self.clock.advance((minute + MINUTE - self.clock.now()).total_seconds())

    def _sync(self, order: Order) -> None:
        tokens = BothTokens()
        source = partial(ConnectedProvider, self.connections, tokens, self.providers)
        sync_user(order, stores=self.stores, source=source, clock=self.clock, time_left_s=lambda: 110.0)

    def stored(self, user_id: str) -> list[StoredReading]:
        """The user's readings."""
        return list(self.readings.between(user_id, NOON - 24 * HOUR, self.clock.now() + HOUR))

    def state(self, user_id: str, provider: str) -> Any:
        """The state of the user's source at this provider."""
        return self.stores.states.get(user_id, self.connections.to(user_id, provider)[0])


def test_both_sources_give_each_measurement_once_and_early() -> None:
    """It can be read within six minutes, and in the end every one is served as the provider has it."""
    world = TwoSources(seed=21, hours=4)
    world.run(hours=10)

    waited_s = []
    for user_id in USERS:
        stored = world.stored(user_id)
        assert [each.reading.mg_dl for each in stored] == world.values[user_id]
        assert {each.reading.device for each in stored} == {PHONE}
        waited_s += [
            (each.first_stored_at - each.reading.at).total_seconds()
            for each in stored
            if each.reading.at > NOON
        ]
    assert _percentile(waited_s, 99) < 360, _percentile(waited_s, 99)


def test_a_relay_that_is_down_stops_only_itself() -> None:
    """The provider's readings come as they always do, and only the relay has an error."""
    world = TwoSources(seed=22, hours=3)
    world.relay.down = True
    world.run(hours=8)

    for user_id in USERS:
        assert [each.reading.mg_dl for each in world.stored(user_id)] == world.values[user_id]
        assert world.state(user_id, THIRD.provider).last_error is None
        assert world.state(user_id, RELAY).last_error[0] == "Unavailable"


@pytest.mark.large
def test_after_an_outage_the_provider_replaces_relayed_readings() -> None:
    """What the relay had meanwhile does not count as known: the next poll asks the provider for it.

    A value that was corrected before its first fetch is another one than the relay's, so both are served.
    """
    world = TwoSources(seed=23, hours=4, corrected=0.0)
    world.run(hours=1)
    world.own.down = True
    world.run(hours=6)
    world.own.down = False
    world.run(hours=3)

    for user_id in USERS:
        stored = world.stored(user_id)
        assert [each.reading.mg_dl for each in stored] == world.values[user_id]
        assert {each.reading.device for each in stored} == {PHONE}


def _percentile(values: list[float], percent: int) -> float:
    return sorted(values)[len(values) * percent // 100]
