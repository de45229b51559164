"""The sync engine and the Dexcom client over in-memory tables and a simulated Dexcom."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from bg_ingest.accounts.connection import Connection, Connections
from bg_ingest.clock import new_id
from bg_ingest.dynamo import Table
from bg_ingest.providers.dexcom.provider import DexcomProvider
from bg_ingest.providers.http.http_client import admission_control, polite_http
from bg_ingest.providers.http.quota import HourlyQuota, QuotaRules
from bg_ingest.providers.http.shared_breaker import SharedBreaker
from bg_ingest.providers.seam import Endpoint
from bg_ingest.readings.store import ReadingStore
from bg_ingest.sync.completeness_store import CompletenessStore
from bg_ingest.sync.connected_provider import ConnectedProvider
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.jobs import Jobs
from bg_ingest.sync.run import Stores
from bg_ingest.sync.state import SyncStates
from bg_ingest.sync.sync_user import sync_user
from dexcom_sim.in_process import InProcessTransport
from dexcom_sim.timestamps import unix_s
from tests.support.logins import save_login
from tests.support.memory_dynamo import MemoryDynamo

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import httpx
    from mypy_boto3_dynamodb import DynamoDBClient

    from bg_ingest.accounts.connection import Connection
    from bg_ingest.clock import Clock
    from bg_ingest.providers.seam import ProviderAccount
    from bg_ingest.sync.job import SyncResult
    from bg_ingest.sync.run import SourceOf
    from dexcom_sim.people.population import SimulatedPerson
    from dexcom_sim.simulator import SimulatedDexcom

_HOST = "http://dexcom.sim"
AT_DEXCOM = Endpoint("dexcom", "custom")
_CALLBACK = "https://service.test/oauth/callback"


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A vault whose tokens are always valid, because a user without a valid token logs in again."""

    world: SimulatedDexcom
    people: dict[str, SimulatedPerson]
    _tokens: dict[str, str] = field(default_factory=dict)

    def valid_token(self, connection: Connection, *, rejected: str | None = None) -> str:
        """A valid token other than the rejected one."""
        user_id, consents = connection.user_id, self.world.consents
        token = self._tokens.get(user_id)
        if token is None or token == rejected or consents.user_of_access_token(token) is None:
            login = consents.exchange(consents.grant_code(self.people[user_id].name, _CALLBACK), _CALLBACK)
            assert login is not None
            token = self._tokens[user_id] = login.access
        return token

    def refreshed_token(self, _: Connection, __: ProviderAccount) -> str:
        """Never called: every token is valid."""
        raise AssertionError


@dataclass
class Engine:
    """The parts that all processes share: two tables, one Dexcom and one clock."""

    world: SimulatedDexcom
    clock: Clock
    people: dict[str, SimulatedPerson] = field(default_factory=dict)  # The person at Dexcom of each user.
    quota: QuotaRules = field(default_factory=QuotaRules)
    memory: MemoryDynamo = field(default_factory=MemoryDynamo)
    dynamo: Any = None  # What the tables call; by default the memory itself.

    def __post_init__(self) -> None:
        client = cast("DynamoDBClient", self.dynamo or self.memory)
        self.users = Table(client, "users")
        self.stores = Stores(
            SyncStates(self.users, self.clock),
            Jobs(self.users, self.clock),
            ReadingStore(Table(client, "readings"), self.clock, 730),
            CompletenessStore(self.users, self.clock),
            lambda _, rejected: len(list(rejected)),
        )
        self.connections = Connections(self.users, self.clock)
        self.tokens = LoggedIn(self.world, self.people)

    def connect(self, user_id: str, person: str, history_from: datetime) -> None:
        """Connect a user as this person, and start polling."""
        self.people[user_id] = self.world.people[person]
        save_login(self.connections, user_id, AT_DEXCOM, b"sealed", data_from=history_from)
        self.stores.states.start_polling(user_id, None, history_from)

    def http(self, inner: httpx.BaseTransport | None = None) -> httpx.Client:
        """The HTTP client of one process, with its own rate limit and the shared breaker and quota."""
        breaker = SharedBreaker(self.users, self.clock, _HOST)
        quota = HourlyQuota(self.users, self.clock, self.quota)
        admission = admission_control(self.clock, breaker=breaker, quota=quota)
        inner = inner or InProcessTransport(self.world)
        return polite_http(_HOST, self.clock, admission=admission, inner=inner)

    def source_of(self, http: httpx.Client) -> SourceOf:
        """Makes the provider of one process for a lease."""
        refuse: Any = None  # No user logs in through it.
        dexcom = DexcomProvider(lambda _: http, refuse, self.clock, _HOST)
        return partial(ConnectedProvider, self.connections, self.tokens, {dexcom.name: dexcom})

    def sync(
        self, order: Order, http: httpx.Client, time_left_s: Callable[[], float] = lambda: 110.0
    ) -> SyncResult:
        """Run an order in a process with this HTTP client."""
        return sync_user(
            order,
            stores=self.stores,
            source=self.source_of(http),
            clock=self.clock,
            time_left_s=time_left_s,
        )

    def order(
        self, user_id: str, kind: JobKind = JobKind.INCREMENTAL, trigger: Trigger = Trigger.SCHEDULE
    ) -> Order:
        """A new order for a user."""
        return Order(user_id, new_id(self.clock.now()), kind, trigger, "id")

    def shown(self, user_id: str, start: datetime) -> set[int]:
        """The times, in seconds, of all readings since `start` that Dexcom serves by now."""
        now_s, person = self.world.now_s(), self.people[user_id]
        return {it.at_s for it in self.world.archive.visible_records(person, unix_s(start), now_s + 1, now_s)}

    def stored(self, user_id: str, start: datetime) -> set[int]:
        """The times, in seconds, of all stored readings since `start`."""
        end = self.clock.now().replace(year=3000)
        return {unix_s(it.reading.at) for it in self.stores.reading_store.between(user_id, start, end)}
