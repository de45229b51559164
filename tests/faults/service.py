"""The real dispatch, work and sync_user for many users, minute by minute in simulated time."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from bg_ingest.accounts.connection import Connections
from bg_ingest.clock import new_id
from bg_ingest.dynamo import Table
from bg_ingest.providers.nightscout.entry_parser import fetched_of
from bg_ingest.providers.nightscout.site_login import OWN_SITE
from bg_ingest.readings.completeness import Followed, completeness
from bg_ingest.readings.store import ReadingStore
from bg_ingest.sync.completeness_store import CompletenessStore
from bg_ingest.sync.connected_provider import ConnectedProvider
from bg_ingest.sync.dispatching.dispatch import POLLS, RECONCILIATIONS
from bg_ingest.sync.job import JobKind, Order, SyncResult, Trigger
from bg_ingest.sync.jobs import Jobs, enqueue
from bg_ingest.sync.orders.queue import JobsQueue
from bg_ingest.sync.run import Stores
from bg_ingest.sync.state import SyncStates
from bg_ingest.sync.sync_user import sync_user
from bg_ingest.sync.worker import Delivery, handle_delivery
from tests.faults.provider import EVERY, HISTORY, UPLOADED_AFTER, Provider
from tests.faults.queue import Queue
from tests.support.fakes import NOON, FakeClock
from tests.support.logins import save_login
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.relayed_site import RelayedSites, SiteTokens, as_entries
from tests.support.third_provider import THIRD, ThirdProvider, UserIdTokens
from tests.support.throttled_dynamo import ThrottledDynamo
from tests.support.ticking import tick

if TYPE_CHECKING:
    from datetime import timedelta

    from tests.faults.queue import Message

INTERVAL_S = 900
# Five workers, each with a hundred calls to Dexcom per minute.
MESSAGES_A_MINUTE_MAX = 500


class Service:
    """Users that connected at noon and whose history is stored."""

    def __init__(self, users: int, *, over_own_sites: bool = False) -> None:
        self.clock, self.chance = FakeClock(), Random(users)  # noqa: S311 - the sequence must be reproducible.
        self.provider, self.queue = Provider(self.clock), Queue(self.clock)
        self.dynamo = ThrottledDynamo(MemoryDynamo(page_items_max=1_000), self.chance)
        self.table = Table(cast("Any", self.dynamo), "users")
        self.reading_store = ReadingStore(Table(cast("Any", self.dynamo), "readings"), self.clock, 730)
        self.jobs_queue = JobsQueue(cast("Any", self.queue), "queue")
        self.stores = Stores(
            SyncStates(self.table, self.clock, INTERVAL_S),
            Jobs(self.table, self.clock),
            self.reading_store,
            CompletenessStore(self.table, self.clock),
            lambda *_: 0,  # This provider has no unreadable records.
        )
        self.connections = Connections(self.table, self.clock)
        self.third = ThirdProvider(self.provider)
        self.own_sites = RelayedSites(self.provider, self.clock).provider()
        self.over_own_sites = over_own_sites
        self.tokens = SiteTokens() if over_own_sites else UserIdTokens()
        endpoint = OWN_SITE if over_own_sites else THIRD
        self.users = [f"user-{number}" for number in range(users)]
        for user_id in self.users:
            save_login(self.connections, user_id, endpoint, b"sealed", data_from=self.clock.now() - HISTORY)
            self.stores.states.start_polling(user_id, None, self.clock.now() - HISTORY)
            self.ask(user_id, JobKind.BACKFILL)
        self.run(minutes=INTERVAL_S // 60)

    def ask(self, user_id: str, kind: JobKind) -> None:
        """Request a sync for this user; the request is accepted."""
        order = Order(user_id, new_id(self.clock.now()), kind, Trigger.API, "id")
        enqueue(order, jobs=self.stores.jobs, send=self.jobs_queue.send)

    def run(self, minutes: int) -> None:
        """Run this many minutes, each with its tick."""
        for _ in range(minutes):
            self.clock.advance(60)
            for schedule in (POLLS, RECONCILIATIONS):
                with suppress(ClientError):  # The next tick covers the missed minutes.
                    tick(
                        schedule,
                        table=self.table,
                        send=self.jobs_queue.send,
                        intervals_s={INTERVAL_S, 3_600, 21_600},
                        clock=self.clock,
                    )
            for message in self.queue.receive(MESSAGES_A_MINUTE_MAX):
                self._work(message)

    def minutes_until_complete(self, minutes_max: int) -> int:
        """Return how many minutes it takes until all readings are stored and no order is left."""
        for minutes in range(minutes_max):
            if not self.queue.messages and not self.incomplete():
                return minutes
            self.run(minutes=1)
        raise AssertionError(f"not whole after {minutes_max} minutes")

    def incomplete(self, but_for: timedelta = EVERY * (INTERVAL_S // 300 + 1)) -> list[str]:
        """Return the users with a wrong reading, or without one that was available an interval ago."""
        return [user_id for user_id in self.users if not self._is_complete(user_id, but_for)]

    def _is_complete(self, user_id: str, but_for: timedelta) -> bool:
        now = self.clock.now()
        stored = [it.reading for it in self.reading_store.between(user_id, now - 3 * HISTORY, now + HISTORY)]
        shown = list(self.provider.visible(user_id))
        if self.over_own_sites:
            shown = list(fetched_of(as_entries(shown), now).readings)
        due = [one for one in shown if one.at < now - UPLOADED_AFTER - but_for]
        return stored == shown[: len(stored)] and len(stored) >= len(due)

    def missing(self) -> int:
        """Return how many readings are missing by the completeness of all users' days."""
        now, begun = self.clock.now(), NOON - HISTORY
        followed = Followed(history_from=begun, connected_at=NOON)
        days = (
            day
            for user_id in self.users
            for day in completeness(
                self.reading_store.between(user_id, begun, now + HISTORY),
                begun.date(),
                now.date(),
                now,
                followed,
            )
        )
        return sum(day.missing for day in days)

    def held(self) -> list[str]:
        """Return the users whose lease is held."""
        states = {user_id: self.stores.states.get(user_id) for user_id in self.users}
        return [user_id for user_id, state in states.items() if state is None or state.running]

    def _work(self, message: Message) -> None:
        delivery = Delivery(str(message.number), str(message.number), message.body, message.received)
        carry_out = partial(
            sync_user,
            stores=self.stores,
            source=partial(
                ConnectedProvider,
                self.connections,
                self.tokens,
                {self.third.name: self.third, self.own_sites.name: self.own_sites},
            ),
            clock=self.clock,
            time_left_s=lambda: 110.0,
        )

        def sync(order: Order) -> SyncResult:
            # The service itself carries repairs out; there is nothing to repair here.
            return SyncResult(None, superseded=True) if order.repairs else carry_out(order)

        with suppress(
            ClientError
        ):  # An order that fails because of an internal fault stays in the queue, hidden for a while.
            worked = handle_delivery(
                delivery, sync=sync, jobs_queue=self.jobs_queue, clock=self.clock, jitter=self.chance.random
            )
            if not worked.keep:
                self.queue.delete(message)
