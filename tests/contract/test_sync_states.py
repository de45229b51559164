from dataclasses import replace
from datetime import timedelta

import pytest

from bg_ingest.clock import new_id
from bg_ingest.dynamo import Table
from bg_ingest.sync.dispatching import poll_slots
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.state import LEASE_TTL, Busy, SyncState, SyncStates, Turn
from tests.support.fakes import NOON, FakeClock

HISTORY = timedelta(days=90)


@pytest.fixture
def states(users_table: Table, clock: FakeClock) -> SyncStates:
    """The sync states with one connected user."""
    states = SyncStates(users_table, clock)
    states.start_polling("ada", 900, NOON - HISTORY)
    return states


def _order(clock: FakeClock, user_id: str = "ada") -> Order:
    return Order(user_id, new_id(clock.now()), JobKind.INCREMENTAL, Trigger.SCHEDULE, "correlation")


def _take(states: SyncStates, clock: FakeClock) -> Turn:
    lease = states.take(_order(clock))
    assert isinstance(lease, Turn)
    return lease


def test_a_second_sync_gets_the_running_job(states: SyncStates, clock: FakeClock) -> None:
    """One sync runs per user, and another one gets its job, for any trigger."""
    first = _order(clock)
    states.take(first)
    second = states.take(_order(clock))

    assert isinstance(second, Busy)
    assert second.job is not None
    assert second.job.order.job_id == first.job_id


def test_a_released_lease_can_be_taken_at_once(states: SyncStates, clock: FakeClock) -> None:
    """The next sync does not wait after the previous one has ended."""
    states.end(_take(states, clock), succeeded=True, data_until=NOON)

    assert isinstance(states.take(_order(clock)), Turn)


def test_an_expired_sync_lease_can_be_taken(states: SyncStates, clock: FakeClock) -> None:
    """The lease of a crashed sync can be taken at the second in which it expires."""
    _take(states, clock)
    clock.advance(LEASE_TTL.total_seconds() - 1)
    assert isinstance(states.take(_order(clock)), Busy)

    clock.advance(1)
    assert isinstance(states.take(_order(clock)), Turn)


def test_a_holder_whose_lease_expired_changes_nothing(states: SyncStates, clock: FakeClock) -> None:
    """It can neither release the lease of its successor nor move the history cursor."""
    slept = _take(states, clock)
    clock.advance(LEASE_TTL.total_seconds())
    _take(states, clock)

    assert not states.end(slept, succeeded=True, data_until=NOON)
    assert not states.advance(slept, NOON - HISTORY)
    assert isinstance(states.take(_order(clock)), Busy)
    state = states.get("ada")
    assert state is not None
    assert (state.last_success_at, state.backfill.done) == (None, False)


def test_a_holder_from_before_an_erasure_changes_nothing(
    states: SyncStates, users_table: Table, clock: FakeClock
) -> None:
    """After an erasure and a new login, an older sync neither moves nor ends the history."""
    before = _take(states, clock)
    users_table.delete("ada", "sync")
    clock.advance(30)
    states.start_polling("ada", 900, NOON - HISTORY)
    _take(states, clock)

    assert not states.advance(before, NOON - HISTORY)
    assert not states.end(before, succeeded=True, data_until=NOON)
    assert not _known(states).backfill.done
    assert isinstance(states.take(_order(clock)), Busy)


def test_moving_the_history_cursor_extends_the_lease(states: SyncStates, clock: FakeClock) -> None:
    """A long backfill keeps its lease as long as it makes progress."""
    lease = _take(states, clock)
    clock.advance(LEASE_TTL.total_seconds() - 1)
    assert states.advance(lease, NOON - timedelta(days=30))
    clock.advance(LEASE_TTL.total_seconds() - 1)

    assert isinstance(states.take(_order(clock)), Busy)
    state = states.get("ada")
    assert state is not None
    assert state.backfill.reached == NOON - timedelta(days=30)
    assert not state.backfill.done


def test_failures_are_counted_until_a_success(states: SyncStates, clock: FakeClock) -> None:
    """A success resets the count and sets the time of the last success."""
    for _ in range(2):
        states.end(_take(states, clock), succeeded=False, data_until=None)
        clock.advance(60)
    failing = states.get("ada")
    assert failing is not None
    assert (failing.failures, failing.last_success_at) == (2, None)

    states.end(_take(states, clock), succeeded=True, data_until=NOON)
    working = states.get("ada")
    assert working is not None
    assert (working.failures, working.last_success_at, working.data_until) == (0, clock.now(), NOON)


def test_an_unconnected_user_gets_no_lease_and_no_item(
    states: SyncStates, users_table: Table, clock: FakeClock
) -> None:
    """A late message about an erased user does not create an item."""
    assert states.take(_order(clock, "bob")) is None
    states.stop_polling("bob")

    assert users_table.get("bob", "sync") is None


def test_only_a_connected_user_has_a_poll_slot(states: SyncStates) -> None:
    """A disconnected user has no poll slot, and so is not polled."""
    state = states.get("ada")
    assert state is not None
    assert state.slot == poll_slots.poll_slot("ada", 900)

    states.stop_polling("ada")
    stopped = states.get("ada")
    assert stopped is not None
    assert stopped.slot is None


def test_record_newest_never_moves_data_until_back(states: SyncStates) -> None:
    """An older time changes nothing, and an unknown user gets no item."""
    begun = _known(states)
    states.record_newest(begun, NOON)
    early = _known(states)
    states.record_newest(early, NOON + timedelta(minutes=10))
    states.record_newest(early, NOON + timedelta(minutes=5))
    states.record_newest(replace(begun, user_id="nobody"), NOON)
    late = _known(states)

    assert (begun.data_until, early.data_until) == (None, NOON)
    assert late == replace(begun, data_until=NOON + timedelta(minutes=10))
    assert states.get("nobody") is None


def test_a_sync_without_newer_data_keeps_a_webhooks_progress(states: SyncStates, clock: FakeClock) -> None:
    """A webhook's reading is newer than the readings that a poll finds."""
    states.record_newest(_known(states), NOON)
    lease = _take(states, clock)
    states.record_newest(lease.state, NOON + timedelta(minutes=5))

    assert states.end(lease, succeeded=True, data_until=lease.state.data_until)
    assert _known(states).data_until == NOON + timedelta(minutes=5)


def _known(states: SyncStates) -> SyncState:
    state = states.get("ada")
    assert state is not None
    return state
