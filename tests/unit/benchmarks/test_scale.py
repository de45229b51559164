import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scale import (
    INTERVAL_S,
    Deployment,
    Group,
    Poll,
    Simulation,
    after_idle_workers,
    after_missed_ticks,
)
from bg_ingest.clock import new_id
from bg_ingest.dynamo import Table
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.state import Superseded, SyncStates, Turn
from tests.support.fakes import NOON, FakeClock
from tests.support.memory_dynamo import MemoryDynamo

# As full as the largest deployments of the report: the workers have a fifth more than the users need.
SMALL = Deployment(3_000, 4, 2, 4, 60)
QUOTA = Deployment(1_500, 1, 2, 4, 60, 3_000)  # Half of the calls that the users need at 900 s.
AGES = st.integers(min_value=0, max_value=2 * INTERVAL_S)


@pytest.mark.parametrize("minutes", [3, 20, 40])
def test_missed_ticks_cost_a_user_one_poll_at_most(minutes: int) -> None:
    """Every user is polled within an interval after the outage, and at most one time more than usual."""
    simulation = after_missed_ticks(SMALL, minutes)
    resumed_s = simulation.begun_s + (30 + minutes) * 60
    fewest, most = simulation.calls_since(resumed_s)

    assert simulation.all_polled_s(resumed_s) <= INTERVAL_S
    assert (fewest >= 75 * 60 // INTERVAL_S, most <= 75 * 60 // INTERVAL_S + 1) == (True, True)


def test_an_hour_without_workers_costs_no_outdated_call() -> None:
    """Every user is polled once before any user is polled twice, and outdated polls cost no call."""
    simulation = after_idle_workers(SMALL, 60)
    resumed_s = simulation.begun_s + 90 * 60
    all_polled_s = simulation.all_polled_s(resumed_s)
    twice = [group for group in simulation.every_group if len(_early(group, resumed_s, all_polled_s)) > 1]

    assert all_polled_s <= INTERVAL_S
    assert simulation.counted["outdated"] >= 2 * SMALL.users
    assert not twice
    assert simulation.calls_since(resumed_s)[1] <= 3_600 // INTERVAL_S + 1


def test_a_quiet_hour_has_four_polls_per_user() -> None:
    """Without an outage no poll is refused, and no user is skipped."""
    simulation = Simulation(SMALL).run(3_600)

    assert simulation.calls_since(simulation.begun_s) == (4, 4)
    assert simulation.counted["refused"] + simulation.counted["outdated"] == 0


def test_twice_the_users_of_a_quota_are_polled_half_as_often() -> None:
    """The interval becomes what fits, no user is left out, and no hour exceeds the quota."""
    simulation = Simulation(QUOTA).run(5 * 3_600)
    since_s = simulation.begun_s + 3 * 3_600
    fewest, most = simulation.calls_since(since_s)

    assert simulation.stretch_percent in range(195, 206)
    assert (fewest >= 3, most <= 5) == (True, True)
    assert simulation.waits_s(since_s)[1] <= 2 * INTERVAL_S + 180
    assert all(simulation.calls_in(hour) <= 3_000 for hour in range(5))


@given(AGES, AGES, st.sampled_from([300, 900, 1_740]))
def test_the_model_refuses_as_the_service_does(ordered_ago_s: int, fresh_ago_s: int, valid_s: int) -> None:
    """The rule of the simulation gives the same answer as the start of a poll."""
    clock = FakeClock()
    states = SyncStates(Table(MemoryDynamo(), "users"), clock)  # type: ignore[arg-type]  # A stand-in.
    states.start_polling("ada", None, NOON)
    earlier = states.take(Order("ada", new_id(NOON), JobKind.INCREMENTAL, Trigger.API, "id"))
    assert isinstance(earlier, Turn)
    states.end(earlier, succeeded=True, data_until=NOON, fresh_at=NOON)
    clock.advance(fresh_ago_s)
    at = clock.now().timestamp() - ordered_ago_s
    clock.advance(-fresh_ago_s)
    clock.advance(fresh_ago_s - ordered_ago_s)
    job_id = new_id(clock.now())
    clock.advance(ordered_ago_s)

    poll = Poll(Group(1, fresh_at_s=NOON.timestamp()), at, valid_s)
    order = Order("ada", job_id, JobKind.INCREMENTAL, Trigger.SCHEDULE, "id", interval_s=valid_s)
    begun = states.look(order)

    expected = {True: Turn, None: Superseded, False: Superseded}[poll.is_needed(clock.now().timestamp())]
    assert isinstance(begun, expected)


def _early(group: Group, since_s: float, within_s: float) -> list[float]:
    return [at_s for at_s in group.called_at_s if since_s <= at_s < since_s + within_s]
