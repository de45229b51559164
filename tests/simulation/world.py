"""The real dispatch, work and sync_user with a simulated queue, tables, provider and time."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from bg_ingest.accounts.connection import Connections
from bg_ingest.accounts.sealing import Purpose
from bg_ingest.accounts.vault import Vault
from bg_ingest.clock import new_id
from bg_ingest.dynamo import Table
from bg_ingest.providers.nightscout.site_login import OWN_SITE
from bg_ingest.readings.changes.change_feed import ChangeFeed
from bg_ingest.readings.changes.late_log import LateLog
from bg_ingest.readings.store import ReadingStore
from bg_ingest.sync.completeness_store import CompletenessStore
from bg_ingest.sync.connected_provider import ConnectedProvider
from bg_ingest.sync.dispatching import dispatch as schedules
from bg_ingest.sync.dispatching.dispatch import dispatch
from bg_ingest.sync.dispatching.shard import Shard, serve
from bg_ingest.sync.job import JobKind, Order, SyncResult, Trigger
from bg_ingest.sync.jobs import Jobs, enqueue
from bg_ingest.sync.orders.queue import JobsQueue, QueueRefused, ShardsQueue
from bg_ingest.sync.run import Stores
from bg_ingest.sync.state import SyncStates
from bg_ingest.sync.sync_user import sync_user
from bg_ingest.sync.worker import Delivery, handle_delivery
from tests.simulation.baton import Actor, Baton
from tests.simulation.cloud import SimulatedMessage, SimulatedQueue, SteppingDynamo
from tests.simulation.provider import HISTORY, SimulatedProvider, life
from tests.simulation.safety import Safety
from tests.simulation.single_use import RefreshedThird, SingleUseLogins
from tests.support.fake_kms import fake_sealer
from tests.support.fakes import NOON, FakeClock
from tests.support.feed_reader import FeedReader
from tests.support.logins import save_login, store_tokens
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.relayed_site import RelayedSites, SiteTokens, as_entries
from tests.support.third_provider import THIRD

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.sync.state import Turn

USERS = ("ada", "bob")
INTERVAL_S = 300
TIMEOUT_S = 120.0
TICK = "0196f3a1-2c5d-4e6f-8a9b-0c1d2e3f4a5b"  # The correlation id of all ticks, a UUID as on AWS.
PAUSE_S = 200.0  # Longer than a lease.
_ALIVE_MAX = 4
_QUIET_TICK_MINUTES = 15  # The dispatcher makes up for the skipped minutes,
_CATCH_UP_MINUTES = INTERVAL_S // 60  # spread over one interval.
_KILLS_MAX = 8  # Usually too few to make a dead letter by crashes alone.


class World:
    """One seed's service and its faults."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - the sequence must be reproducible.
        self.clock = FakeClock()
        self.baton = Baton()
        # Most seeds have one user; a second one sometimes checks their isolation.
        self.users = USERS if seed % 4 == 0 else USERS[:1]
        people = {user_id: life(self.random, self.clock.now()) for user_id in self.users}
        self.provider = SimulatedProvider(self.clock, self.baton.step, self.random, people)
        memory = MemoryDynamo()
        self.reading_store = ReadingStore(Table(cast("Any", memory), "readings"), self.clock, 730)
        late_log = LateLog(Table(cast("Any", memory), "users"), self.clock)
        self.calm_feed = ChangeFeed(self.reading_store, late_log, self.clock)
        self.safety = Safety(self.clock, self.provider, self.reading_store, self.baton.moving)
        self.dynamo = SteppingDynamo(memory, self.baton.step, self.random, self.safety.wrote)
        self.queue = SimulatedQueue(self.clock, self.baton.step, self.random, self.safety.sent)
        self.jobs_queue = JobsQueue(cast("Any", self.queue), "queue")
        self.shards = SimulatedQueue(self.clock, self.baton.step, self.random, self.safety.sent_shard)
        users = Table(cast("Any", self.dynamo), "users")
        readings = Table(cast("Any", self.dynamo), "readings")
        self.stores = Stores(
            # Every third seed divides its poll slots into shards.
            SyncStates(users, self.clock, INTERVAL_S, 1 if seed % 3 else 4),
            Jobs(users, self.clock),
            ReadingStore(readings, self.clock, 730, announce_late=LateLog(users, self.clock).announce),
            CompletenessStore(users, self.clock),
            lambda *_: 0,  # The simulated provider has no unreadable records.
        )
        self.feed = ChangeFeed(self.stores.reading_store, LateLog(users, self.clock), self.clock)
        self.readers = [FeedReader(user_id) for user_id in self.users for _ in range(2)]
        self.connections = Connections(users, self.clock)
        self.logins = SingleUseLogins(self.clock, self.baton.step, self.safety.refreshes)
        self.third = RefreshedThird(self.provider, logins=self.logins)
        sealer = fake_sealer(self.clock, Purpose.TOKENS)
        self.vault = Vault(self.connections, sealer, cast("Any", {self.third.name: self.third}))
        # Every third seed runs over the servers of the users, with the same faults behind them.
        self.over_own_sites = seed % 3 == 1
        self.own_sites = RelayedSites(self.provider, self.clock).provider()
        self.accepted: list[Order] = []
        self.pushed = 0  # Readings stored by a process without a lease.
        self._kills = 0
        self._minute = 0
        for user_id in self.users:
            self.connect(user_id)

    def connect(self, user_id: str) -> None:
        """Log the user in, which queues the backfill."""
        # One transaction in the service, so that its two writes do not fail apart.
        failure_rate, self.dynamo.failure_rate = self.dynamo.failure_rate, 0.0
        if self.over_own_sites:
            save_login(self.connections, user_id, OWN_SITE, b"sealed", data_from=NOON - HISTORY)
        else:
            tokens = self.logins.log_in(user_id)
            store_tokens(self.vault, user_id, THIRD, tokens, data_from=NOON - HISTORY)
        self.stores.states.start_polling(user_id, None, NOON - HISTORY)
        self.dynamo.failure_rate = failure_rate
        self.ask(user_id, JobKind.BACKFILL, Trigger.CONNECTION)

    def try_to(self, deed: Callable[[], None]) -> None:
        """Make a call as a caller does; an error is a valid answer and accepts no order."""
        with suppress(ClientError, QueueRefused):
            deed()

    def ask(self, user_id: str, kind: JobKind, trigger: Trigger, window: Any = None) -> None:
        """Request a sync; the request is accepted."""
        order = Order(user_id, new_id(self.clock.now()), kind, trigger, "id", window)
        enqueue(order, jobs=self.stores.jobs, send=self.jobs_queue.send)
        self.accepted.append(order)

    def rage(self, rounds: int) -> None:
        """Run with all faults of the seed."""
        self.provider.failure_rate, self.dynamo.failure_rate, self.queue.failure_rate = 0.15, 0.01, 0.05
        self.shards.failure_rate = 0.05
        for _ in range(rounds):
            self.random.choices(
                [self._move, self._work, self._pass_time, self._mishap, self._be_pushed, self._follow],
                weights=[60, 8, 8, 2, 1, 2],
            )[0]()
        self.provider.failure_rate = self.dynamo.failure_rate = self.queue.failure_rate = 0.0
        self.shards.failure_rate = 0.0

    def calm(self, minutes: int) -> None:
        """Stop all faults."""
        self.baton.without_interruptions = True
        for actor in list(self.baton.alive):
            self._to_the_end(actor)
        for _ in range(minutes // _QUIET_TICK_MINUTES):
            self.clock.advance((_QUIET_TICK_MINUTES - _CATCH_UP_MINUTES) * 60)
            self._tick(schedules.POLLS)
            for _ in range(_CATCH_UP_MINUTES):
                self._finish()
                self.clock.advance(60)

    def _finish(self) -> None:
        for actor in list(self.baton.alive):
            self._to_the_end(actor)
        while self._work():
            self._to_the_end(self.baton.alive[0])

    def reconcile(self) -> None:
        """Reconcile every user, as within a day."""
        self._tick(schedules.RECONCILIATIONS)
        self.calm(minutes=15)
        self.clock.advance(86_400)
        self._tick(schedules.RECONCILIATIONS)
        self.calm(minutes=30)

    def _move(self) -> None:
        if self.baton.alive:
            actor = self.random.choice(self.baton.alive)
            # Lambda ends an invocation that takes too long, but not to the second.
            if self.clock.monotonic_s() > actor.ends_at_s:
                actor.doomed = True
            self.baton.turn(actor)

    def _work(self) -> bool:
        if len(self.baton.alive) >= _ALIVE_MAX:
            return False
        shard = self.shards.receive()
        if shard:
            self._start("shard", partial(self._serve, shard))
            return True
        message = self.queue.receive()
        if message is None:
            return False
        self._start("worker", partial(self._worker, message))
        return True

    def _pass_time(self) -> None:
        self.clock.advance(self.random.choice([1, 5, 20, 60]))
        minute = int(self.clock.monotonic_s() // 60)
        if minute != self._minute:
            self._minute = minute
            for _ in range(self.random.choice([0, 1, 1, 1, 2])):  # Lost or duplicated.
                self._tick(schedules.POLLS)
            if self.random.random() < 0.02:
                self._tick(schedules.RECONCILIATIONS)

    def _mishap(self) -> None:
        deeds = (self._kill, self._pause, self.queue.double, self._step_clock, self._ask, self._reconnect)
        self.random.choices(deeds, weights=[2, 1, 1, 1, 1, 0.3])[0]()

    def _kill(self) -> None:
        if self.baton.alive and self._kills < _KILLS_MAX:
            self._kills += 1
            self.random.choice(self.baton.alive).doomed = True

    def _pause(self) -> None:
        for actor in self.baton.alive:  # A frozen actor is not ended meanwhile.
            actor.ends_at_s += PAUSE_S
        self.clock.advance(PAUSE_S)

    def _step_clock(self) -> None:
        self.clock.set_back(self.random.choice([-20, 20]))

    def _ask(self) -> None:
        now = self.clock.now()
        window = (now - timedelta(days=self.random.choice([1, 40])), now)
        user_id = self.random.choice(self.users)
        self.try_to(lambda: self.ask(user_id, JobKind.INCREMENTAL, Trigger.API, window))

    def _reconnect(self) -> None:
        self.try_to(partial(self.connect, self.random.choice(self.users)))

    def _be_pushed(self) -> None:
        self._start("push", partial(self._push, self.random.choice(self.users)))

    def _follow(self) -> None:
        """A program reads a page of changes; one program makes one request at a time."""
        reader = self.random.choice(self.readers)
        if not any(actor.name == f"reader {id(reader)}" for actor in self.baton.alive):
            limit = self.random.choice([3, 50, 2000])
            self._start(f"reader {id(reader)}", partial(self._read_changes, reader, limit))

    def _read_changes(self, reader: FeedReader, limit: int) -> None:
        with suppress(ClientError):  # The program reads the same page again.
            reader.read_page(self.feed, limit)

    def _push(self, user_id: str) -> None:
        """The provider pushes new data of the last hours, for which no lease is taken."""
        now = self.clock.now()
        with suppress(ClientError):  # The sender would retry.
            shown = self.provider.shown(user_id, now - timedelta(hours=6), now)
            if self.over_own_sites:
                shown = list(self.own_sites.parse_pushed({"records": as_entries(shown)}, now).readings)
            self.pushed += self.stores.reading_store.save(user_id, shown, now).stored

    def _tick(self, schedule: schedules.Schedule) -> None:
        self._start("tick", partial(self._dispatch, schedule))

    def _start(self, name: str, run: Callable[[], object]) -> None:
        self.baton.start(Actor(name, run, self.clock.monotonic_s() + TIMEOUT_S))

    def _to_the_end(self, actor: Actor) -> None:
        while not actor.over:
            self.baton.turn(actor)

    def _dispatch(self, schedule: schedules.Schedule) -> None:
        with suppress(QueueRefused, ClientError):  # The function failed; the next tick covers its minute.
            dispatch(
                schedule,
                table=self.stores.states.table,
                send=ShardsQueue(cast("Any", self.shards), "shards").send,
                intervals_s={INTERVAL_S, 3_600},
                shards=self.stores.states.shards,
                correlation_id=TICK,
                clock=self.clock,
            )

    def _serve(self, message: SimulatedMessage) -> None:
        shard = Shard.from_message(json.loads(message.body))
        users = self.safety.users_of(shard)
        try:
            serve(
                shard,
                table=self.stores.states.table,
                send=self.jobs_queue.send,
                clock=self.clock,
                resumed=message.received > 1,
                page_users=1,  # So that the cursor moves.
            )
        except (QueueRefused, ClientError):
            return  # The message stays in the queue.
        self.baton.step()
        self.safety.served_shard(shard, users)
        self.shards.delete(message)

    def _worker(self, message: SimulatedMessage) -> None:
        delivery = Delivery(str(message.number), str(message.number), message.body, message.received)
        actor = self.baton.moving()
        assert actor

        def sync(order: Order) -> SyncResult:
            if order.repairs:  # The service itself carries these out; there is nothing to repair here.
                return SyncResult(None, superseded=True)
            return sync_user(
                order,
                stores=self.stores,
                source=self._source,
                clock=self.clock,
                # A frozen process does not notice its pause; its lease does.
                time_left_s=lambda: actor.ends_at_s - self.clock.monotonic_s(),
            )

        try:
            worked = handle_delivery(
                delivery, sync=sync, jobs_queue=self.jobs_queue, clock=self.clock, jitter=self.random.random
            )
        except (QueueRefused, ClientError):
            return  # The message stays in the queue.
        self.baton.step()
        if not worked.keep:
            self.queue.delete(message)

    def _source(self, lease: Turn, time_left_s: Callable[[], float]) -> ConnectedProvider:
        """Return a connected user's provider, through the provider interface."""
        return ConnectedProvider(
            self.connections,
            SiteTokens() if self.over_own_sites else self.vault,
            cast("Any", {self.third.name: self.third, self.own_sites.name: self.own_sites}),
            lease,
            time_left_s,
        )

    def dead_jobs(self) -> set[str]:
        """Return the jobs of the dead letters."""
        return {json.loads(message.body)["job_id"] for message in self.queue.dead}
