from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import example, given
from hypothesis import strategies as st

from bg_ingest.dynamo import Table
from bg_ingest.providers.http.quota import PK, HourlyQuota, QuotaRules
from tests.contract.stepped import At, stepped

if TYPE_CHECKING:
    from tests.support.fakes import FakeClock

SMALL = QuotaRules(calls_per_hour=600, sharers=8)
THIS_HOUR = "2026-04-26T12"  # The fake clock starts at noon.


def spend(quota: HourlyQuota, calls_max: int = 10_000) -> int:
    """Take calls until one is refused; return how many were taken."""
    for calls in range(calls_max):
        if quota.take() > 0:
            return calls
    return calls_max


@pytest.mark.exhaustive
def test_one_process_can_spend_the_whole_quota(users_table: Table, clock: FakeClock) -> None:
    """A single process gets all 600 calls of the hour, and then a refusal."""
    assert spend(HourlyQuota(users_table, clock, SMALL)) == 600


def test_observer_gets_the_percentage_that_is_taken(users_table: Table, clock: FakeClock) -> None:
    """Each write passes the percentage that all processes have taken, up to 100, to the observer."""
    spend(HourlyQuota(users_table, clock, SMALL), 300)
    seen: list[float] = []
    spend(HourlyQuota(users_table, clock, SMALL, observe=seen.append))

    assert seen == sorted(seen)
    assert 50 < seen[0] < 75
    assert seen[-1] == 100


def test_refusal_has_the_seconds_until_the_next_hour(users_table: Table, clock: FakeClock) -> None:
    """A refused call gets the seconds until the next full hour."""
    quota = HourlyQuota(users_table, clock, QuotaRules(calls_per_hour=1))
    clock.advance(600)

    assert quota.take() == 0
    assert quota.take() == 3_000


@pytest.mark.exhaustive
def test_next_hour_has_a_new_quota(users_table: Table, clock: FakeClock) -> None:
    """The next hour has the whole quota, and no unspent calls are added."""
    quota = HourlyQuota(users_table, clock, SMALL)
    assert spend(quota, 299) == 299

    clock.advance(3_600)

    assert spend(quota) == 600


@pytest.mark.exhaustive
def test_spent_quota_costs_no_more_writes(users_table: Table, clock: FakeClock) -> None:
    """A process that knows that the quota is spent makes no request until the next hour."""
    requests = At("never", lambda: None)
    quota = HourlyQuota(Table(stepped(users_table.client, requests), users_table.name), clock, SMALL)
    spend(quota)
    before = len(requests.steps)

    assert all(quota.take() > 0 for _ in range(100))
    assert len(requests.steps) == before


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(5))
def test_eight_processes_share_the_hourly_quota(users_table: Table, clock: FakeClock, seed: int) -> None:
    """
    Eight processes make 600 calls together, and less than 5 % are left at the first refusal.

    Some processes call often and some rarely; the seed decides the order.
    """
    chance = random.Random(seed)  # noqa: S311 - not for secrets.
    processes = [HourlyQuota(users_table, clock, SMALL) for _ in range(8)]
    weights = [chance.choice([0.1, 1, 10]) for _ in processes]

    calls = 0
    while chance.choices(processes, weights)[0].take() == 0:
        calls += 1
    assert 570 < calls <= 600

    calls += sum(spend(process) for process in processes)
    assert calls == 600


@pytest.mark.exhaustive
def test_crashed_processes_lose_few_calls(users_table: Table, clock: FakeClock) -> None:
    """Seven processes that crash after taking a block lose less than 5 % of the quota."""
    calls = sum(spend(HourlyQuota(users_table, clock, SMALL), 37) for _ in range(7))

    calls += spend(HourlyQuota(users_table, clock, SMALL))

    assert 570 < calls < 600


def test_process_with_few_calls_takes_small_blocks(users_table: Table, clock: FakeClock) -> None:
    """A process with three calls an hour takes blocks no larger than what it has already spent."""
    rare = HourlyQuota(users_table, clock)
    spend(rare, 3)

    item = users_table.get(PK, THIS_HOUR)

    assert item
    assert item["taken"] <= 7


def test_a_steady_process_takes_few_blocks_in_the_next_hour(users_table: Table, clock: FakeClock) -> None:
    """Forty calls an hour cost six writes in the first hour, and two in the next one."""
    requests = At("never", lambda: None)
    quota = HourlyQuota(Table(stepped(users_table.client, requests), users_table.name), clock)

    def writes_in_an_hour() -> int:
        before = requests.steps.count("before update_item")
        assert spend(quota, 40) == 40
        clock.advance(3_600)
        return requests.steps.count("before update_item") - before

    assert [writes_in_an_hour() for _ in range(3)] == [6, 2, 2]
    clock.advance(3_600)
    assert writes_in_an_hour() == 6  # An hour without calls lies between.


@pytest.mark.exhaustive
def test_many_calls_cost_few_writes(users_table: Table, clock: FakeClock) -> None:
    """Three thousand calls cost about one write per sixty calls."""
    requests = At("never", lambda: None)
    quota = HourlyQuota(Table(stepped(users_table.client, requests), users_table.name), clock)

    assert spend(quota, 3_000) == 3_000
    assert requests.steps.count("before update_item") <= 3_000 / 60 + 10


def test_last_calls_are_taken_one_by_one(users_table: Table, clock: FakeClock) -> None:
    """If a block no longer fits into the quota, then a single call is taken instead."""
    slow = HourlyQuota(users_table, clock, SMALL)
    spend(slow, 20)
    taken = users_table.get(PK, THIS_HOUR)
    assert taken
    users_table.put(taken | {"taken": 599})

    assert spend(slow) <= 3
    assert users_table.get(PK, THIS_HOUR) == taken | {"taken": 600}


def test_item_of_an_hour_expires(users_table: Table, clock: FakeClock) -> None:
    """The item of an hour has an expiry at least a day ahead."""
    HourlyQuota(users_table, clock).take()

    item = users_table.get(PK, THIS_HOUR)

    assert item
    assert item["expires_at"] > clock.now().timestamp() + 24 * 3_600


@given(
    calls_per_hour=st.integers(1, 200_000),
    sharers=st.integers(1, 500),
    left=st.integers(1, 200_000),
    spent_here=st.integers(0, 200_000),
)
@example(calls_per_hour=200_000, sharers=1, left=3, spent_here=200_000)
def test_block_stays_within_every_limit(
    calls_per_hour: int, sharers: int, left: int, spent_here: int
) -> None:
    """A block fits into what is left, and one lost block per process stays within `waste_max`."""
    left = min(left, calls_per_hour)
    rules = QuotaRules(calls_per_hour=calls_per_hour, sharers=sharers)

    block = rules.block(calls_per_hour - left, spent_here)

    assert 1 <= block <= left
    assert block <= 1 + spent_here
    assert (block - 1) * sharers < calls_per_hour * rules.waste_max


def test_throttled_item_admits_a_fair_share(users_table: Table, clock: FakeClock) -> None:
    """While the item cannot be written, a process spends its fair share; the item gets these calls later."""
    broken = [True]

    def fail(step: str) -> None:
        if broken[0] and step == "before update_item":
            raise ReadTimeoutError(endpoint_url="dynamodb")

    quota = HourlyQuota(Table(stepped(users_table.client, fail), users_table.name), clock, SMALL)
    assert spend(quota) == SMALL.owed_max == 75
    assert quota.take() == SMALL.retry_s

    broken[0] = False
    clock.advance(SMALL.retry_s)
    assert spend(quota) == 600 - 75
    item = users_table.get(PK, THIS_HOUR)
    assert item
    assert item["taken"] == 600
