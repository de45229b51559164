"""Users with stored data, and processes that a test can stop at every step."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.access.audit import Audit
from bg_ingest.access.caller_limits import CallerLimit, LimitPolicy
from bg_ingest.accounts.connection import Connections
from bg_ingest.accounts.sealing import DataKeys, MessageSeals, Purpose, Sealer
from bg_ingest.accounts.vault import NotConnected
from bg_ingest.clock import new_id
from bg_ingest.connecting.flow import ConnectDeps
from bg_ingest.connecting.logins import Logins
from bg_ingest.connecting.parked_logins import ParkedLogins
from bg_ingest.dynamo import Table
from bg_ingest.erasing.erase import Eraser
from bg_ingest.erasing.receipt import Receipts
from bg_ingest.exporting.export_jobs import ExportJobs
from bg_ingest.providers.seam import Endpoint, Fetched
from bg_ingest.readings.model import Reading
from bg_ingest.readings.store import ReadingStore
from bg_ingest.sync.completeness_store import CompletenessStore
from bg_ingest.sync.dispatching import poll_stretch
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.jobs import Jobs
from bg_ingest.sync.orders.pushed_records import store_pushed
from bg_ingest.sync.run import Stores
from bg_ingest.sync.state import SyncStates
from bg_ingest.sync.sync_user import sync_user
from bg_ingest.sync.windows import BACKFILL_WINDOW
from bg_ingest.webhooks.receive import Inbox, WebhookDeps, receive
from tests.contract.stepped import stepped
from tests.contract.token_world import EU, TokenWorld
from tests.support.logins import store_tokens
from tests.support.providers import only_parses
from tests.unit.webhooks.stage import payload, record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from bg_ingest.providers.seam import ProviderAccount, Tokens
    from bg_ingest.sync.job import SyncResult
    from bg_ingest.webhooks.receive import Received
    from tests.support.fakes import FakeClock

HISTORY = 2 * BACKFILL_WINDOW


@dataclass(frozen=True, slots=True)
class ThreeReadingsProvider:
    """A provider that answers for each connected user, and calls `turn` after each fetch."""

    world: TokenWorld
    turn: Callable[[str], None]

    def readings(self, user_id: str, start: datetime, end: datetime) -> Fetched:
        """Three readings of any range."""
        if self.world.connections.get(user_id) is None:
            raise NotConnected(None)
        self.turn("after fetch")
        ages = (timedelta(hours=1), timedelta(days=1), (end - start) / 2)
        return Fetched(tuple(Reading(end - age, 100) for age in ages))

    def uploaded_since(self, _: str, __: datetime) -> None:
        """No uploads, because no test with this provider reconciles."""


@dataclass(slots=True)
class LoginPage:
    """The provider's side of a login, which accepts every code."""

    world: TokenWorld
    turn: Callable[[str], None]
    states: list[str] = field(default_factory=list)

    @property
    def endpoint(self) -> Endpoint:
        """The region of new logins."""
        return EU

    def authorize_url(self, state: str) -> str:
        """The address of the login page."""
        self.states.append(state)
        return f"https://api.dexcom.eu/login?state={state}"

    def exchange(self, code: str) -> Tokens:
        """Tokens."""
        assert code
        self.turn("before exchange")
        tokens = self.world.provider.login()
        self.turn("after exchange")
        return tokens

    def refresh(self, account: ProviderAccount, refresh_token: str) -> Tokens:
        """New tokens."""
        return self.world.provider.refresh(account, refresh_token)


@dataclass(slots=True)
class AccountWorld:
    """The tables, a provider, and the contents of the two queues."""

    world: TokenWorld
    readings_table: Table
    intake_table: Table
    clock: FakeClock
    orders: list[Order] = field(default_factory=list)
    looks: list[tuple[str, int]] = field(default_factory=list)
    account: str | None = None  # The provider's account of every login.

    def deps(self, turn: Callable[[str], None] = lambda _: None) -> ConnectDeps:
        """The dependencies of a connecting process, which calls `turn` at every step."""
        users = self._users(turn)
        return ConnectDeps(
            logins=Logins(users, self.clock),
            parked=ParkedLogins(users, self.sealer(turn), self.clock),
            provider_login=LoginPage(self.world, turn),
            account_of=lambda _: self.account,
            vault=self.world.process(turn),
            connections=Connections(users, self.clock),
            audit=Audit(users, self.clock, 365),
            states=SyncStates(users, self.clock),
            jobs=Jobs(users, self.clock),
            send=self.orders.extend,
            clock=self.clock,
            history=HISTORY,
        )

    def sealer(self, turn: Callable[[str], None]) -> Sealer:
        """What seals the tokens of parked logins."""
        kms = stepped(self.world.kms, turn)
        return Sealer(DataKeys(kms, self.world.key_id, "test", self.clock, purpose=Purpose.PARKED_TOKENS))

    def message_seals(self, turn: Callable[[str], None] = lambda _: None) -> MessageSeals:
        """What seals and opens the records in queue messages."""
        keys = DataKeys(
            stepped(self.world.kms, turn), self.world.key_id, "test", self.clock, purpose=Purpose.MESSAGES
        )
        return MessageSeals(self._intake(turn), Sealer(keys), self.clock)

    def connect(self, user_id: str) -> None:
        """Connect a user, and store a reading, a job, an audit entry and an open login."""
        store_tokens(
            self.world.process(), user_id, EU, self.world.provider.login(), data_from=self.clock.now()
        )
        SyncStates(self.world.table, self.clock).start_polling(user_id, 900, self.clock.now() - HISTORY)
        self._reading_store(lambda _: None).save(user_id, [Reading(self.clock.now(), 100)], self.clock.now())
        audit = Audit(self.world.table, self.clock, 365)
        audit.save(audit.new_entry(user_id, actor=user_id, action="POST /x", correlation_id="c"))
        Logins(self.world.table, self.clock).start(user_id, None)

    def backfill(self, user_id: str, turn: Callable[[str], None] = lambda _: None) -> SyncResult:
        """Run a worker that fetches a user's history and calls `turn` at every step."""
        return self._sync(user_id, JobKind.BACKFILL, Trigger.CONNECTION, turn)

    def poll(self, user_id: str, turn: Callable[[str], None] = lambda _: None) -> SyncResult:
        """Run a worker that polls for a user, without the lease, and calls `turn` at every step."""
        return self._sync(user_id, JobKind.INCREMENTAL, Trigger.SCHEDULE, turn)

    def order_polls(self, after_s: float) -> None:
        """Let this time pass, and let a tick order all polls that are due by then."""
        self.clock.advance(after_s)
        minute = int(self.clock.now().timestamp()) // 60
        self.world.table.put({"pk": poll_stretch.PK, "sk": poll_stretch.NAME, "served": minute})

    def _sync(self, user_id: str, kind: JobKind, trigger: Trigger, turn: Callable[[str], None]) -> SyncResult:
        users = self._users(turn)
        stores = Stores(
            SyncStates(users, self.clock),
            Jobs(users, self.clock),
            self._reading_store(turn),
            CompletenessStore(users, self.clock),
            lambda *_: 0,
        )
        order = Order(user_id, new_id(self.clock.now()), kind, trigger, "c")
        provider = ThreeReadingsProvider(self.world, turn)
        return sync_user(
            order, stores=stores, source=lambda *_: provider, clock=self.clock, time_left_s=lambda: 110.0
        )

    def receive(self, user_id: str, turn: Callable[[str], None] = lambda _: None) -> Received:
        """Receive a webhook with one reading of a user, and call `turn` at every step."""
        users, intake = self._users(turn), self._intake(turn)

        def send(orders: Iterable[Order]) -> None:
            turn("before send")
            self.orders.extend(orders)

        deps = WebhookDeps(
            inbox=Inbox(intake, self.clock),
            connections=Connections(users, self.clock),
            jobs=Jobs(users, self.clock),
            audit=Audit(users, self.clock, 365),
            limit=CallerLimit(intake, self.clock, LimitPolicy("webhook", 100, 60)),
            seals=lambda: self.message_seals(turn),
            send=send,
            clock=self.clock,
        )
        return receive(deps, user_id, "msg_1", payload(record(self.clock.now())), "c")

    def store_records(self, order: Order, turn: Callable[[str], None] = lambda _: None) -> SyncResult:
        """Run a worker that stores the records of a webhook and calls `turn` at every step."""
        users = self._users(turn)
        states, jobs = SyncStates(users, self.clock), Jobs(users, self.clock)
        stores = Stores(
            states, jobs, self._reading_store(turn), CompletenessStore(users, self.clock), lambda *_: 0
        )
        return store_pushed(
            order,
            stores=stores,
            connections=Connections(users, self.clock),
            providers=only_parses(),
            open_payload=self.message_seals(turn).open,
            clock=self.clock,
        )

    def eraser(self, turn: Callable[[str], None] = lambda _: None, clock: FakeClock | None = None) -> Eraser:
        """An erasing process, which calls `turn` at every step."""
        users = self._users(turn)
        return Eraser(
            users=users,
            readings=Table(stepped(self.readings_table.client, turn), self.readings_table.name),
            intake=self._intake(turn),
            receipts=Receipts(users, self.clock, 365),
            order_second_look=lambda user_id, in_s: self.looks.append((user_id, in_s)),
            clock=clock or self.clock,
            exports=ExportJobs(users, self.clock),
        )

    def let_everything_end(self) -> None:
        """Advance the clock until every second look was taken."""
        while self.looks:
            user_id, in_s = self.looks.pop(0)
            self.clock.advance(in_s)
            self.eraser().second_look(user_id, lambda: 29.0)

    def stored_about(self, user_id: str) -> list[str]:
        """The keys of all items of all tables that contain this user id."""
        found: list[str] = []
        for table in (self.world.table, self.readings_table, self.intake_table):
            page = table.client.scan(TableName=table.name)
            assert "LastEvaluatedKey" not in page
            found += [item["sk"]["S"] for item in page["Items"] if f"'{user_id}'" in _names(item)]
        return found

    def _users(self, turn: Callable[[str], None]) -> Table:
        return Table(stepped(self.world.table.client, turn), self.world.table.name)

    def _intake(self, turn: Callable[[str], None]) -> Table:
        return Table(stepped(self.intake_table.client, turn), self.intake_table.name)

    def _reading_store(self, turn: Callable[[str], None]) -> ReadingStore:
        table = Table(stepped(self.readings_table.client, turn), self.readings_table.name)
        return ReadingStore(table, self.clock, 730)


def _names(item: object) -> str:
    """An item as text, in which a user id is delimited even within a composed key."""
    return str(item).replace("#", "'")


def kinds(keys: Iterable[str]) -> set[str]:
    """The item types of these keys."""
    return {key.partition("#")[0] for key in keys}
