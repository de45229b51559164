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


class Sent:
    """What was sent to the queue, by user."""

    def __init__(self) -> None:
        self.orders: list[Order] = []

    def __call__(self, orders: Iterable[Order]) -> None:
        """Take them."""
        self.orders += orders

    @property
    def times(self) -> Counter[str]:
        """How often each user was sent."""
        return Counter(order.user_id for order in self.orders)


@pytest.fixture
def table(users_table: Table, clock: FakeClock) -> Table:
    """Thirty connected users, polled every five minutes."""
    for user_id in USERS:
        SyncStates(users_table, clock).start_polling(user_id, 300, NOON - timedelta(days=1))
    return users_table


def _tick(table: Table, clock: FakeClock, sent: Sent) -> Dispatched:
    return dispatch(table=table, send=sent, intervals_s={300, 900}, correlation_id="id", clock=clock)


def test_every_user_is_sent_once_an_interval(table: Table, clock: FakeClock) -> None:
    """Five ticks, a minute apart, serve everybody once."""
    sent = Sent()
    for _ in range(5):
        _tick(table, clock, sent)
        clock.advance(60)

    assert sent.times == Counter(USERS)


def test_a_doubled_tick_does_nothing(table: Table, clock: FakeClock) -> None:
    """The minute belongs to whoever claimed it first."""
    sent = Sent()
    for _ in range(5):
        _tick(table, clock, sent)
        assert _tick(table, clock, Sent()) == Dispatched(0, 0)
        clock.advance(60)

    assert sent.times == Counter(USERS)


def test_missed_ticks_are_made_up_for(table: Table, clock: FakeClock) -> None:
    """After four minutes of silence one tick serves who was due in them, each once."""
    sent = Sent()
    _tick(table, clock, sent)
    clock.advance(4 * 60)
    _tick(table, clock, sent)

    assert sent.times == Counter(USERS)


def test_a_long_silence_sends_nobody_twice(table: Table, clock: FakeClock) -> None:
    """Two hours without a tick are one poll for each user, not twenty-four."""
    _tick(table, clock, Sent())
    clock.advance(2 * 3_600)
    sent = Sent()
    _tick(table, clock, sent)

    assert sent.times == Counter(USERS)


def test_a_clock_that_steps_back_sends_nobody_again(table: Table, clock: FakeClock) -> None:
    """Minutes that were served stay served."""
    _tick(table, clock, Sent())
    clock.advance(-120)

    assert _tick(table, clock, Sent()) == Dispatched(0, 0)


def test_who_disconnected_is_not_sent(table: Table, clock: FakeClock) -> None:
    """No seat, no poll."""
    SyncStates(table, clock).stop_polling("user-7")
    sent = Sent()
    for _ in range(5):
        _tick(table, clock, sent)
        clock.advance(60)

    assert set(sent.times) == set(USERS) - {"user-7"}


def test_a_tick_that_dies_before_it_has_sent_everything_is_made_up_for(
    table: Table, clock: FakeClock
) -> None:
    """The minute counts as served only afterwards, so the next tick sends again."""

    def dies(_: Iterable[Order]) -> None:
        raise ZeroDivisionError

    sent = Sent()
    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            dispatch(table=table, send=dies, intervals_s={300}, correlation_id="id", clock=clock)
        clock.advance(60)
        _tick(table, clock, sent)
        clock.advance(60)

    assert set(sent.times) == set(USERS)


def test_two_ticks_at_once_do_not_both_send(table: Table, clock: FakeClock) -> None:
    """While one is at it the other finds nothing to do."""
    meanwhile: list[Dispatched] = []

    def send(orders: Iterable[Order]) -> None:
        meanwhile.append(_tick(table, clock, Sent()))
        list(orders)

    dispatch(table=table, send=send, intervals_s={300}, correlation_id="id", clock=clock)

    assert meanwhile == [Dispatched(0, 0)]


def test_a_default_of_the_past_is_still_looked_at(table: Table, clock: FakeClock) -> None:
    """Who sits on a seat of the old default is found until they have moved."""
    SyncStates(table, clock, 420).start_polling("late", None, NOON - timedelta(days=1))
    sent = Sent()
    for minute in range(8):
        intervals_s = {300, 420} if minute == 0 else {300}
        dispatch(table=table, send=sent, intervals_s=intervals_s, correlation_id="id", clock=clock)
        clock.advance(60)

    assert "late" in sent.times


@pytest.mark.exhaustive
def test_everybody_is_reconciled_once_a_day(table: Table, clock: FakeClock) -> None:
    """Twenty-four hourly ticks reach each user once, in whatever seat they sit."""
    SyncStates(table, clock).start_polling("slow", 86_400, NOON - timedelta(days=1))
    sent = Sent()
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
