from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bg_ingest.dynamo import Table
from bg_ingest.providers.http.quota import PK, Budget, HourlyQuota
from tests.contract.stepped import At, stepped

if TYPE_CHECKING:
    from tests.support.fakes import FakeClock

SMALL = Budget(calls_per_hour=600, sharers=8)
THIS_HOUR = "2026-04-26T12"  # The fake clock starts at noon.


def spend(quota: HourlyQuota, calls_max: int = 10_000) -> int:
    """Call until refused; how many calls that were."""
    for calls in range(calls_max):
        if quota.take() > 0:
            return calls
    return calls_max


@pytest.mark.exhaustive
def test_one_process_may_spend_it_all(users_table: Table, clock: FakeClock) -> None:
    """A budget of 600 is 600 calls for whoever is alone, then a refusal."""
    assert spend(HourlyQuota(users_table, clock, SMALL)) == 600


def test_whoever_watches_is_told_how_much_is_taken(users_table: Table, clock: FakeClock) -> None:
    """By everybody, with each look at the shared count, up to the whole budget."""
    spend(HourlyQuota(users_table, clock, SMALL), 300)
    seen: list[float] = []
    spend(HourlyQuota(users_table, clock, SMALL, observe=seen.append))

    assert seen == sorted(seen)
    assert 300 / 600 < seen[0] < 0.75
    assert seen[-1] == 1.0


def test_a_refusal_says_when_to_come_back(users_table: Table, clock: FakeClock) -> None:
    """At the full hour, to the second."""
    quota = HourlyQuota(users_table, clock, Budget(calls_per_hour=1))
    clock.advance(600)

    assert quota.take() == 0
    assert quota.take() == 3_000


@pytest.mark.exhaustive
def test_the_next_hour_brings_a_new_budget(users_table: Table, clock: FakeClock) -> None:
    """All of it, and nothing of what was left unspent."""
    quota = HourlyQuota(users_table, clock, SMALL)
    assert spend(quota, 299) == 299

    clock.advance(3_600)

    assert spend(quota) == 600


@pytest.mark.exhaustive
def test_a_spent_budget_costs_no_more_writes(users_table: Table, clock: FakeClock) -> None:
    """Who knows that nothing is left does not ask again before the hour is over."""
    requests = At("never", lambda: None)
    quota = HourlyQuota(Table(stepped(users_table.client, requests), users_table.name), clock, SMALL)
    spend(quota)
    before = len(requests.steps)

    assert all(quota.take() > 0 for _ in range(100))
    assert len(requests.steps) == before


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(5))
def test_eight_processes_share_the_hour(users_table: Table, clock: FakeClock, seed: int) -> None:
    """
    Never more than 600 calls, and less than 5 % of them left when the first has been refused.

    Some are greedy and some call rarely; which one moves next is the seed's choice.
    """
    chance = random.Random(seed)  # noqa: S311 - not for secrets.
    processes = [HourlyQuota(users_table, clock, SMALL) for _ in range(8)]
    greed = [chance.choice([0.1, 1, 10]) for _ in processes]

    calls = 0
    while chance.choices(processes, greed)[0].take() == 0:
        calls += 1
    assert 570 < calls <= 600

    calls += sum(spend(process) for process in processes)
    assert calls == 600


@pytest.mark.exhaustive
def test_a_dead_process_wastes_less_than_its_share(users_table: Table, clock: FakeClock) -> None:
    """Seven processes that die just after taking a block cost the eighth less than 5 %."""
    calls = sum(spend(HourlyQuota(users_table, clock, SMALL), 37) for _ in range(7))

    calls += spend(HourlyQuota(users_table, clock, SMALL))

    assert 570 < calls < 600


def test_a_rare_caller_holds_little(users_table: Table, clock: FakeClock) -> None:
    """Three calls an hour never sit on sixty: a process may hold as many as it has already spent."""
    rare = HourlyQuota(users_table, clock)
    spend(rare, 3)

    item = users_table.get(PK, THIS_HOUR)

    assert item
    assert item["taken"] <= 7


@pytest.mark.exhaustive
def test_a_busy_hour_costs_few_writes(users_table: Table, clock: FakeClock) -> None:
    """Thousands of calls, one write for each sixty of them."""
    requests = At("never", lambda: None)
    quota = HourlyQuota(Table(stepped(users_table.client, requests), users_table.name), clock)

    assert spend(quota, 3_000) == 3_000
    assert requests.steps.count("before update_item") <= 3_000 / 60 + 10


def test_what_is_left_goes_to_whoever_asks_although_others_were_faster(
    users_table: Table, clock: FakeClock
) -> None:
    """A block that no longer fits is asked for again as a single call before giving up."""
    slow = HourlyQuota(users_table, clock, SMALL)
    spend(slow, 20)
    taken = users_table.get(PK, THIS_HOUR)
    assert taken
    users_table.put(taken | {"taken": 599})

    assert spend(slow) <= 3
    assert users_table.get(PK, THIS_HOUR) == taken | {"taken": 600}


def test_the_count_is_tidied_away(users_table: Table, clock: FakeClock) -> None:
    """Each hour's item expires."""
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
def test_a_block_is_bounded_on_every_side(
    calls_per_hour: int, sharers: int, left: int, spent_here: int
) -> None:
    """It fits into what is left, and all blocks together waste less than is allowed."""
    left = min(left, calls_per_hour)
    budget = Budget(calls_per_hour=calls_per_hour, sharers=sharers)

    block = budget.block(calls_per_hour - left, spent_here)

    assert 1 <= block <= left
    assert block <= 1 + spent_here
    assert (block - 1) * sharers < calls_per_hour * budget.waste_max
