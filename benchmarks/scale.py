"""
Simulation of the schedule with up to a million users: `make scale` writes SCALE.md.

The dispatcher is the real one, tick after tick. Its shards, the queue of polls and the workers are a model
with measured costs. A group is some users of one shard whose orders are sent, received and carried out
together; the lease accepts or refuses a group's poll by the rule of `SyncStates.take`.
"""

from __future__ import annotations

import heapq
import sys
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any, cast

from benchmarks.freshness import delays
from bg_ingest.dynamo import Table
from bg_ingest.sync.dispatching import poll_stretch
from bg_ingest.sync.dispatching.dispatch import dispatch
from bg_ingest.sync.dispatching.poll_slots import poll_slot
from bg_ingest.sync.dispatching.poll_stretch import PollStretch
from bg_ingest.sync.dispatching.shard import PAGE_USERS, Shard, count_orders
from local.paths import CHECKOUT
from tests.support.fakes import FakeClock
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.template_document import template

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

REPORT = CHECKOUT / "benchmarks" / "SCALE.md"
INTERVAL_S = 900
HOUR_S = 3_600

# Measured, by `make bench` and its earlier runs: see REPORT.md.
BATCH_CPU_S = 0.0055  # Of a dispatcher for one batch of ten orders, at the 0.29 vCPU of 512 MB.
POLL_WU = 3.8  # A poll that brings readings, with refreshes and quota: decisions/syncing.md.
# Assumed: one request to SQS or DynamoDB within a region.
REQUEST_S = 0.008
SENDERS = 8
GROUP_USERS = 100
THREADS = 10  # Of a worker process: one per message of a batch.


@dataclass(frozen=True, slots=True)
class Deployment:
    """The parameters of a deployment for so many users."""

    users: int
    shards: int
    dispatchers: int
    processes: int
    calls_per_minute: int  # Of each process.
    calls_per_hour: int | None = None  # The provider's quota; None: as high as needed.

    @property
    def polls_per_s(self) -> float:
        """How many polls the workers can carry out."""
        return self.processes * self.calls_per_minute / 60

    @property
    def refusals_per_s(self) -> float:
        """How many polls the workers can refuse, each with one request."""
        return self.processes * THREADS / (3 * REQUEST_S)

    @property
    def orders_per_s(self) -> float:
        """How many orders one dispatcher sends: its processor or its threads are the limit."""
        return 10 * min(1 / BATCH_CPU_S, SENDERS / (BATCH_CPU_S + REQUEST_S))


DEPLOYMENTS = (
    Deployment(1_000, 1, 4, 10, 100),
    Deployment(10_000, 1, 4, 10, 100),
    Deployment(100_000, 8, 4, 12, 800),
    Deployment(1_000_000, 64, 10, 100, 800),
)
# As many users as Dexcom's documented quota has calls for, and twice as many; with the default parameters.
WITH_QUOTA = (
    Deployment(15_000, 1, 4, 10, 100, 60_000),
    Deployment(30_000, 1, 4, 10, 100, 60_000),
)


@dataclass(slots=True)
class Group:
    """Users of one shard that are polled together."""

    users: int
    fresh_at_s: float = -1.0
    called_at_s: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Poll:
    """The orders of one group, as of one tick."""

    group: Group
    at_s: float
    valid_s: float

    def is_needed(self, now_s: float) -> bool | None:
        """Whether the lease accepts it; None if a later fetch has served it, False if the next is due."""
        if now_s - self.at_s >= self.valid_s:
            return False
        return None if self.group.fresh_at_s > self.at_s else True


@dataclass
class Simulation:
    """One deployment for some hours."""

    deployment: Deployment
    clock: FakeClock = field(default_factory=FakeClock)
    late_s: Counter[int] = field(default_factory=Counter)  # Calls by their delay.
    counted: Counter[str] = field(default_factory=Counter)
    _waiting: list[tuple[float, int, Shard]] = field(default_factory=list)
    _arriving: list[tuple[float, int, Poll]] = field(default_factory=list)
    _queue: deque[Poll] = field(default_factory=deque)
    _number: count[int] = field(default_factory=count)
    _taken: Counter[int] = field(default_factory=Counter)  # Of the quota, by the hour.

    def __post_init__(self) -> None:
        self.memory = MemoryDynamo()
        self.table = Table(cast("Any", self.memory), "users")
        self.free_at_s = [0.0] * self.deployment.dispatchers
        sizes = Counter(
            poll_slot(f"user-{number}", INTERVAL_S, self.deployment.shards)
            for number in range(self.deployment.users)
        )
        self.groups = {slot: list(_groups(users)) for slot, users in sizes.items()}
        self.begun_s = self.now_s

    @property
    def now_s(self) -> float:
        """The time in epoch seconds."""
        return self.clock.now().timestamp()

    @property
    def every_group(self) -> list[Group]:
        """All groups of users."""
        return [group for groups in self.groups.values() for group in groups]

    def run(
        self, seconds: int, *, missed: Container[int] = (), without_workers: Container[int] = ()
    ) -> Simulation:
        """Run so long; in the minutes `missed` there is no tick, in those `without_workers` no worker."""
        for second in range(seconds):
            minute = second // 60
            if second % 60 == 0 and minute not in missed:
                self._tick()
            self._serve_shards()
            while self._arriving and self._arriving[0][0] <= self.now_s:
                self._queue.append(heapq.heappop(self._arriving)[2])
            if minute not in without_workers:
                self._work()
            self.clock.advance(1)
        return self

    def _tick(self) -> None:
        sent: list[Shard] = []
        dispatch(
            table=self.table,
            send=sent.extend,
            intervals_s={INTERVAL_S},
            shards=self.deployment.shards,
            calls_per_hour=self.deployment.calls_per_hour,
            correlation_id="simulated",
            clock=self.clock,
        )
        # The shards of users with servers of their own are empty here.
        sent = [shard for shard in sent if not shard.own_pace]
        self.counted["messages"] += len(sent)
        for shard in sent:
            heapq.heappush(self._waiting, (self.now_s + shard.delay_s, next(self._number), shard))

    def _serve_shards(self) -> None:
        """Each shard goes to the dispatcher that is free first, and sends its orders one after another."""
        while self._waiting and self._waiting[0][0] <= self.now_s:
            shard = heapq.heappop(self._waiting)[2]
            sent_s = max(heapq.heappop(self.free_at_s), self.now_s)
            for slot in shard.slots:
                for group in self.groups.get(slot, []):
                    sent_s += group.users / self.deployment.orders_per_s
                    arrival = (sent_s, next(self._number), Poll(group, shard.at_s, shard.valid_s))
                    heapq.heappush(self._arriving, arrival)
                    self.counted["messages"] += group.users
            users = sum(group.users for slot in shard.slots for group in self.groups.get(slot, []))
            self.counted["cursors"] += users // PAGE_USERS
            for first in range(0, users, PAGE_USERS):
                count_orders(self.table, shard, min(PAGE_USERS, users - first))
            heapq.heappush(self.free_at_s, sent_s)

    def _work(self) -> None:
        second, deployment = 1.0, self.deployment
        while self._queue and second > 0:
            poll = self._queue.popleft()
            needed, users = poll.is_needed(self.now_s), poll.group.users
            if needed and not self._has_quota(users):
                self.counted["without quota"] += users
                second -= users / deployment.refusals_per_s
                self._arriving_next_hour(poll)
            elif needed:
                second -= users / deployment.polls_per_s
                poll.group.fresh_at_s = self.now_s
                poll.group.called_at_s.append(self.now_s)
                self.late_s[int(self.now_s - poll.at_s)] += users
                self.counted["calls"] += users
            else:
                second -= users / deployment.refusals_per_s
                self.counted["refused" if needed is None else "outdated"] += users

    def _has_quota(self, calls: int) -> bool:
        """Take calls of this hour's quota, if it has as many left."""
        quota, hour = self.deployment.calls_per_hour, int(self.now_s // HOUR_S)
        if quota is None or self._taken[hour] + calls <= quota:
            self._taken[hour] += calls
            return True
        return False

    def _arriving_next_hour(self, poll: Poll) -> None:
        """Put a poll off until the quota is renewed."""
        renewed_s = (self.now_s // HOUR_S + 1) * HOUR_S
        heapq.heappush(self._arriving, (renewed_s, next(self._number), poll))

    def waits_s(self, since_s: float) -> tuple[int, int]:
        """The shortest and the longest time between two calls of one user since then."""
        waits = [
            int(later - earlier)
            for group in self.every_group
            for earlier, later in pairwise(at_s for at_s in group.called_at_s if at_s >= since_s)
        ]
        return min(waits), max(waits)

    def percentile_s(self, share: float) -> int:
        """The delay that this share of the calls did not exceed."""
        left = share * self.late_s.total()
        for late_s in sorted(self.late_s):
            left -= self.late_s[late_s]
            if left <= 0:
                return late_s
        raise AssertionError

    @property
    def written(self) -> float:
        """All write units: of the dispatcher, and of polls that were carried out or refused by the lease."""
        polls = POLL_WU * self.counted["calls"] + self.counted["refused"]
        return self.memory.writes + self.counted["cursors"] + polls

    @property
    def stretch_percent(self) -> int:
        """How long the intervals are, of those that the users chose."""
        return PollStretch.from_item(self.table.get(poll_stretch.PK, poll_stretch.NAME)).percent

    def calls_in(self, hour: int) -> int:
        """All calls in an hour, counted from the begin."""
        return self._taken[int(self.begun_s // HOUR_S) + hour]

    def calls_since(self, since_s: float) -> tuple[int, int]:
        """The fewest and the most calls of one user since then."""
        calls = [sum(at_s >= since_s for at_s in group.called_at_s) for group in self.every_group]
        return min(calls), max(calls)

    def all_polled_s(self, since_s: float) -> float:
        """How long it took since then until every user had been polled once."""
        first = [
            next(at_s for at_s in group.called_at_s if at_s >= since_s) - since_s
            for group in self.every_group
        ]
        return max(first)


def _groups(users: int) -> Iterable[Group]:
    for first in range(0, users, GROUP_USERS):
        yield Group(min(GROUP_USERS, users - first))


def after_missed_ticks(deployment: Deployment, minutes: int) -> Simulation:
    """Half an hour, so many minutes without a tick, and 75 minutes more."""
    return Simulation(deployment).run((105 + minutes) * 60, missed=range(30, 30 + minutes))


def after_idle_workers(deployment: Deployment, minutes: int) -> Simulation:
    """Two and a half hours, with so many minutes without a worker after the first half hour."""
    return Simulation(deployment).run(5 * HOUR_S // 2, without_workers=range(30, 30 + minutes))


def _row(name: str, simulation: Simulation, hours: float) -> str:
    counted = simulation.counted
    values = (
        f"{simulation.percentile_s(0.5)} s",
        f"{simulation.percentile_s(0.99)} s",
        f"{counted['calls'] / hours:,.0f}",
        f"{(counted['refused'] + counted['outdated']) / hours:,.0f}",
        f"{counted['messages'] / hours:,.0f}",
        f"{simulation.written / hours:,.0f}",
    )
    return "| " + " | ".join((name, *values)) + " |"


def _limited_row(simulation: Simulation) -> str:
    """The last three hours: the first shows the need, and its waiting polls take calls of the second."""
    since_s = simulation.begun_s + 3 * HOUR_S
    fewest, most = simulation.calls_since(since_s)
    shortest, longest = simulation.waits_s(since_s)
    values = (
        f"{simulation.deployment.users:,}",
        f"{simulation.stretch_percent / 100:.2f}",
        f"{INTERVAL_S * simulation.stretch_percent // 100:,} s",
        f"{fewest} to {most}",
        f"{shortest:,} to {longest:,} s",
        f"{max(simulation.calls_in(hour) for hour in range(3, 6)):,}",
    )
    return "| " + " | ".join(values) + " |"


def report() -> str:
    """Run all scenarios and describe them."""
    steady = [Simulation(deployment).run(3 * HOUR_S) for deployment in DEPLOYMENTS]
    rows = [_row(f"{one.deployment.users:,}", one, 3) for one in steady]
    limited = [Simulation(deployment).run(6 * HOUR_S) for deployment in WITH_QUOTA]
    large = DEPLOYMENTS[2]
    missed, idle = after_missed_ticks(large, 20), after_idle_workers(large, 60)
    rows.append(_row("100,000 with 20 missed minutes", missed, 125 / 60))
    rows.append(_row("100,000 with an hour without workers", idle, 2.5))
    fewest, most = steady[-1].calls_since(steady[-1].begun_s)
    missed_s, idle_s = missed.begun_s + 50 * 60, idle.begun_s + 90 * 60
    sizes = [
        f"| {one.users:,} | {one.shards} | {one.dispatchers} | {one.processes} | {one.calls_per_minute} |"
        for one in DEPLOYMENTS
    ]
    parameters = template()["Parameters"]
    waits = delays()
    return _TEXT.format(
        rows="\n".join(rows),
        sizes="\n".join(sizes),
        limited="\n".join(_limited_row(one) for one in limited),
        polls=parameters["PollsConcurrency"]["Default"],
        fewest=fewest,
        most=most,
        missed_min=missed.all_polled_s(missed_s) / 60,
        missed_calls=missed.calls_since(missed_s),
        missed_turns=75 * 60 // INTERVAL_S,
        idle_min=idle.all_polled_s(idle_s) / 60,
        idle_calls=idle.calls_since(idle_s),
        idle_turns=HOUR_S // INTERVAL_S,
        outdated=idle.counted["outdated"],
        readings=len(waits),
        wait_median_s=waits[len(waits) // 2].total_seconds(),
        wait_p99_s=waits[round(0.99 * (len(waits) - 1))].total_seconds(),
        wait_max_s=waits[-1].total_seconds(),
    )


_TEXT = """\
# Scale of the schedule

Written by `make scale`. The real dispatcher runs tick after tick; its shards, the queue of polls and the workers are a model.
All users are polled every 900 s. In this table the quota is as high as needed; see below for Dexcom's 60,000 calls an hour.

| users | delay, median | delay, p99 | calls an hour | polls refused without a call, an hour | messages an hour | write units an hour |
|---|---|---|---|---|---|---|
{rows}

The delay is the time between the tick that orders a poll and its call.

- 1,000,000 users for three hours: every user was polled, {fewest} to {most} times; 12 polls are due.
- 100,000 users after 20 minutes without a tick: {missed_min:.0f} minutes later every user had been polled. In the 75 minutes
  after the outage each user cost {missed_calls[0]} to {missed_calls[1]} calls; {missed_turns} are due.
- 100,000 users after an hour without workers: {idle_min:.0f} minutes later every user had been polled. {outdated:,} outdated
  polls cost no call. In the hour after the outage each user cost {idle_calls[0]} to {idle_calls[1]} calls; {idle_turns} are due.

## More users than the quota allows

Dexcom's documented 60,000 calls an hour and the template's defaults, six hours. The columns show the last three hours.

| users | stretch | interval in effect | polls of one user | between two polls of one user | most calls in an hour |
|---|---|---|---|---|---|
{limited}

15,000 users exactly fill the quota at 900 s. With 30,000 users the dispatcher makes every interval twice as long, so that
no user is starved: see `sync/dispatching/poll_stretch.py`. In the second hour the intervals are four times as long, because the polls
that found the quota spent in the first hour are still waiting.

## Freshness of a user's own Nightscout

From the measurement until the reading is readable, with polls every 300 s: {wait_median_s:.0f} s in the median, {wait_p99_s:.0f} s for
99 of 100 readings, {wait_max_s:.0f} s at most. The real engine polled a stack through its Nightscout facade, in memory; {readings:,}
readings, with all distances between the measurements and the polls. Assumed: a reading is in the Nightscout 5 to 60 s after
it is measured, and a poll calls up to 10 s after its minute. See `benchmarks/freshness.py`.

## The deployments

| users | `PollShards` | `DispatchConcurrency` | `PollsConcurrency` | calls a minute of one process |
|---|---|---|---|---|
{sizes}

The defaults of the template are 1, 4, {polls} and 100.

## The costs

| cost | value | source |
|---|---|---|
| CPU of a dispatcher for ten orders | 5.5 ms | measured: 1.6 ms at the yardstick's reference, on 0.29 of a vCPU |
| write units of a poll | 3.8 | measured: docs/decisions/syncing.md, with token refreshes and quota |
| write units of a refused poll | 1 | measured: `tests/unit/sync/test_freshness.py` |
| one request to SQS or DynamoDB | 8 ms | assumed |
| calls of a worker process | as configured | its rate limiter; ten threads wait less than that for Dexcom |

Not simulated: failing calls, token refreshes, reconciliations and histories. The tests in `tests/simulation` do that, with
fewer users and the real engine.
"""  # noqa: E501 - the lines of a Markdown table.


def main() -> int:
    """Write the report."""
    REPORT.write_text(report())
    print(REPORT.read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
