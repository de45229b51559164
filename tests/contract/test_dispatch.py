from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

import pytest

from bg_ingest.dynamo import Table
from bg_ingest.sync.dispatch import RECONCILIATIONS, Dispatched, dispatch
from bg_ingest.sync.job import JobKind, Order
from bg_ingest.sync.state import SyncStates
from tests.support.fakes import NOON, FakeClock

USERS = [f"user-{number}" for number in range(30)]


class DispatchQueue:
    """The orders that were sent to the queue."""

    def __init__(self) -> None:
        self.orders: list[Order] = []

    def __call__(self, orders: Iterable[Order]) -> None:
        """Record the orders."""
        self.orders += orders

    @property
    def times(self) -> Counter[str]:
        """The number of orders of each user."""
        return Counter(order.user_id for order in self.orders)


@pytest.fixture
def table(users_table: Table, clock: FakeClock) -> Table:
    """Thirty connected users, polled every five minutes."""
    for user_id in USERS:
        SyncStates(users_table, clock).start_polling(user_id, 300, NOON - timedelta(days=1))
    return users_table


def _tick(table: Table, clock: FakeClock, sent: DispatchQueue) -> Dispatched:
    return dispatch(table=table, send=sent, intervals_s={300, 900}, correlation_id="id", clock=clock)


def test_every_user_is_polled_once_per_interval(table: Table, clock: FakeClock) -> None:
    """Five ticks, one minute apart, send each user once."""
    sent = DispatchQueue()
    for _ in range(5):
        _tick(table, clock, sent)
        clock.advance(60)

    assert sent.times == Counter(USERS)


def test_a_repeated_tick_sends_nothing(table: Table, clock: FakeClock) -> None:
    """A minute is served by the first tick that claims it."""
    sent = DispatchQueue()
    for _ in range(5):
        _tick(table, clock, sent)
        assert _tick(table, clock, DispatchQueue()) == Dispatched(0, 0)
        clock.advance(60)

    assert sent.times == Counter(USERS)


def test_missed_ticks_are_caught_up(table: Table, clock: FakeClock) -> None:
    """After four minutes without a tick, one tick sends each user who was due, once."""
    sent = DispatchQueue()
    _tick(table, clock, sent)
    clock.advance(4 * 60)
    _tick(table, clock, sent)

    assert sent.times == Counter(USERS)


def test_a_long_outage_causes_one_poll_per_user(table: Table, clock: FakeClock) -> None:
    """Two hours without a tick cause one poll for each user and not twenty-four."""
    _tick(table, clock, DispatchQueue())
    clock.advance(2 * 3_600)
    sent = DispatchQueue()
    _tick(table, clock, sent)

    assert sent.times == Counter(USERS)


def test_a_clock_that_steps_back_sends_no_user_again(table: Table, clock: FakeClock) -> None:
    """Minutes that were served are not served again."""
    _tick(table, clock, DispatchQueue())
    clock.advance(-120)

    assert _tick(table, clock, DispatchQueue()) == Dispatched(0, 0)


def test_a_disconnected_user_is_not_sent(table: Table, clock: FakeClock) -> None:
    """A user without a poll slot is not polled."""
    SyncStates(table, clock).stop_polling("user-7")
    sent = DispatchQueue()
    for _ in range(5):
        _tick(table, clock, sent)
        clock.advance(60)

    assert set(sent.times) == set(USERS) - {"user-7"}


def test_a_tick_that_crashes_while_sending_is_repeated(table: Table, clock: FakeClock) -> None:
    """A minute counts as served only after sending, so the next tick sends again."""

    def dies(_: Iterable[Order]) -> None:
        raise ZeroDivisionError

    sent = DispatchQueue()
    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            dispatch(table=table, send=dies, intervals_s={300}, correlation_id="id", clock=clock)
        clock.advance(60)
        _tick(table, clock, sent)
        clock.advance(60)

    assert set(sent.times) == set(USERS)


def test_two_concurrent_ticks_do_not_both_send(table: Table, clock: FakeClock) -> None:
    """While one tick sends, another finds nothing to do."""
    meanwhile: list[Dispatched] = []

    def send(orders: Iterable[Order]) -> None:
        meanwhile.append(_tick(table, clock, DispatchQueue()))
        list(orders)

    dispatch(table=table, send=send, intervals_s={300}, correlation_id="id", clock=clock)

    assert meanwhile == [Dispatched(0, 0)]


def test_a_former_default_interval_is_still_served(table: Table, clock: FakeClock) -> None:
    """A user in a slot of the old default interval is found until the user has moved."""
    SyncStates(table, clock, 420).start_polling("late", None, NOON - timedelta(days=1))
    sent = DispatchQueue()
    for minute in range(8):
        intervals_s = {300, 420} if minute == 0 else {300}
        dispatch(table=table, send=sent, intervals_s=intervals_s, correlation_id="id", clock=clock)
        clock.advance(60)

    assert "late" in sent.times


@pytest.mark.exhaustive
def test_every_user_is_reconciled_once_a_day(table: Table, clock: FakeClock) -> None:
    """Twenty-four hourly ticks reach each user once, in any slot."""
    SyncStates(table, clock).start_polling("slow", 86_400, NOON - timedelta(days=1))
    sent = DispatchQueue()
    for _ in range(24):
        dispatch(
            RECONCILIATIONS,
            table=table,
            send=sent,
            intervals_s={300, 86_400},
            correlation_id="id",
            clock=clock,
        )
        clock.advance(3_600)

    assert sent.times == Counter([*USERS, "slow"])
    assert {order.kind for order in sent.orders} == {JobKind.RECONCILE}
