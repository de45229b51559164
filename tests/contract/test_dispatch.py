from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bg_ingest.accounts.connection import Connections
from bg_ingest.dynamo import Table
from bg_ingest.providers.seam import Endpoint
from bg_ingest.sync.dispatching.dispatch import RECONCILIATIONS, Dispatched, dispatch
from bg_ingest.sync.dispatching.shard import Shard, serve
from bg_ingest.sync.job import JobKind, Order
from bg_ingest.sync.state import SyncStates
from tests.support.fakes import NOON, FakeClock
from tests.support.logins import save_login
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.ticking import tick

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
    return tick(table=table, send=sent, intervals_s={300, 900}, clock=clock)


def _shards(table: Table, clock: FakeClock, interval_s: int = 300) -> list[Shard]:
    sent: list[Shard] = []
    dispatch(table=table, send=sent.extend, intervals_s={interval_s}, correlation_id="id", clock=clock)
    return [shard for shard in sent if not shard.own_pace]


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

    def dies(_: Iterable[Shard]) -> None:
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

    def send(_: Iterable[Shard]) -> None:
        meanwhile.append(_tick(table, clock, DispatchQueue()))

    dispatch(table=table, send=send, intervals_s={300}, correlation_id="id", clock=clock)

    assert meanwhile == [Dispatched(0, 0)]


def test_a_former_default_interval_is_still_served(table: Table, clock: FakeClock) -> None:
    """A user in a slot of the old default interval is found until the user has moved."""
    SyncStates(table, clock, 420).start_polling("late", None, NOON - timedelta(days=1))
    sent = DispatchQueue()
    for minute in range(8):
        tick(table=table, send=sent, intervals_s={300, 420} if minute == 0 else {300}, clock=clock)
        clock.advance(60)

    assert "late" in sent.times


@pytest.mark.parametrize("shards", [(1, 8), (8, 1), (8, 3)])
def test_users_are_found_after_the_shards_have_changed(
    table: Table, clock: FakeClock, shards: tuple[int, int]
) -> None:
    """A user stays in a shard of the old number until the next poll, and is found there."""
    before, after = shards
    for user_id in USERS:
        SyncStates(table, clock, shards=before).start_polling(user_id, 300, NOON)
    tick(table=table, send=DispatchQueue(), intervals_s={300}, clock=clock, shards=before)
    sent = DispatchQueue()
    for _ in range(5):
        clock.advance(60)
        tick(table=table, send=sent, intervals_s={300}, clock=clock, shards=after)

    assert sent.times == Counter(USERS)


def test_a_killed_shard_continues_after_its_last_page(table: Table, clock: FakeClock) -> None:
    """Each page is sent once, except the one that was being sent."""
    (shard,) = _shards(table, clock)
    users = _users_of(table, clock, shard)
    assert len(users) > 3
    sent = DispatchQueue()

    def dies_at(page: int) -> Callable[[Iterable[Order]], None]:
        pages = iter(range(page + 1))

        def send(orders: Iterable[Order]) -> None:
            if next(pages) == page:
                raise ZeroDivisionError
            sent(orders)

        return send

    for resumed in (False, True):
        with pytest.raises(ZeroDivisionError):
            serve(shard, table=table, send=dies_at(1), clock=clock, resumed=resumed, page_users=1)
    serve(shard, table=table, send=sent, clock=clock, resumed=True, page_users=1)

    assert sent.times == Counter(users)


def test_the_cursor_of_another_tick_does_not_count(table: Table, clock: FakeClock) -> None:
    """After an interval the same shard is sent again, and all of its users are due again."""
    (shard,) = _shards(table, clock)
    users = _users_of(table, clock, shard)
    clock.advance(300)
    again = next(each for each in _shards(table, clock) if each.number == shard.number)
    sent = DispatchQueue()

    serve(again, table=table, send=sent, clock=clock, resumed=True, page_users=1)

    assert sent.times == Counter(users)


def test_a_shard_older_than_its_interval_sends_nothing(table: Table, clock: FakeClock) -> None:
    """Its users are due again, and their polls would be refused."""
    (shard,) = _shards(table, clock)
    clock.advance(300)

    assert serve(shard, table=table, send=DispatchQueue(), clock=clock) == 0


def test_a_poll_is_ordered_as_of_its_tick(table: Table, clock: FakeClock) -> None:
    """A shard that was delivered twice orders polls of the same time, so that the second ones are refused."""
    (shard,) = _shards(table, clock)
    clock.advance(30)
    sent = DispatchQueue()
    serve(shard, table=table, send=sent, clock=clock)

    assert {order.requested_at for order in sent.orders} == {datetime.fromtimestamp(shard.at_s, UTC)}
    assert {order.interval_s for order in sent.orders} == {300}


def test_missed_minutes_are_spread_over_the_next_minutes(table: Table, clock: FakeClock) -> None:
    """Of twenty missed minutes one interval is sent: one slot more each minute, the longest wait first."""
    _shards(table, clock)
    clock.advance(20 * 60)
    sent = [shard for shard in _shards(table, clock, 900) if shard.interval_s == 900]
    minute = int(clock.now().timestamp()) // 60

    assert sorted(shard.number for shard in sent) == list(range(15))
    assert [(minute - shard.first, shard.delay_s // 60) for shard in sent] == [
        (0, 0),
        *((missed, missed - 1) for missed in range(1, 15)),
    ]


def test_a_long_outage_never_exceeds_the_queues_delay(table: Table, clock: FakeClock) -> None:
    """A day of missed minutes of the longest interval fits into the quarter of an hour that SQS can delay."""
    _shards(table, clock)
    clock.advance(2 * 86_400)
    sent = [shard for shard in _shards(table, clock, 86_400) if shard.interval_s == 86_400]
    delays = Counter(shard.delay_s for shard in sent)

    assert len(sent) == 1_440
    assert max(delays) <= 900
    assert max(delays.values()) <= 1_440 / 15 + 1


# What any rate or cron expression in any time zone, with its changes to and from summer time, can be: a list
# of minutes.
TICKS = st.lists(st.integers(min_value=1, max_value=3_000), min_size=1, max_size=6)


@pytest.mark.parametrize("interval_s", [300, 900, 3_600])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gaps=TICKS)
def test_no_schedule_skips_a_user_or_polls_one_twice(gaps: list[int], interval_s: int) -> None:
    """At each tick exactly the users are sent, once each, whose turn came since the tick before."""
    clock, table = FakeClock(), Table(cast("object", MemoryDynamo()), "users")  # type: ignore[arg-type]  # A stand-in.
    for user_id in USERS[:10]:
        SyncStates(table, clock, shards=3).start_polling(user_id, interval_s, NOON)
    first = DispatchQueue()
    tick(table=table, send=first, intervals_s={interval_s}, clock=clock, shards=3)
    turns = {user_id: _turn(table, user_id, interval_s) for user_id in USERS[:10]}
    for gap in gaps:
        before = int(clock.now().timestamp()) // 60
        clock.advance(gap * 60)
        sent = DispatchQueue()
        tick(table=table, send=sent, intervals_s={interval_s}, clock=clock, shards=3)

        passed = {minute % (interval_s // 60) for minute in range(before + 1, before + gap + 1)}
        assert sent.times == Counter(user_id for user_id, turn in turns.items() if turn in passed)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gaps=TICKS)
def test_no_schedule_skips_or_repeats_a_reconciliation(gaps: list[int]) -> None:
    """With any schedule each user is reconciled once, if a minute of theirs came since the tick before."""
    clock, table = FakeClock(), Table(cast("object", MemoryDynamo()), "users")  # type: ignore[arg-type]  # A stand-in.
    for number, user_id in enumerate(USERS):
        SyncStates(table, clock, shards=3).start_polling(user_id, (300, 420, 900, 3_600)[number % 4], NOON)
    intervals_s = {300, 420, 900, 3_600}
    tick(RECONCILIATIONS, table=table, send=DispatchQueue(), intervals_s=intervals_s, clock=clock, shards=3)
    counted, days = Counter[str](), 0
    for gap in gaps:
        clock.advance(gap * 60)
        sent = DispatchQueue()
        tick(RECONCILIATIONS, table=table, send=sent, intervals_s=intervals_s, clock=clock, shards=3)
        assert max(sent.times.values(), default=0) <= 1
        assert gap < 1_440 or sent.times == Counter(USERS)
        counted += sent.times
        days += gap
    if max(gaps) <= 1_440:
        assert all(days // 1_440 <= counted[user_id] <= days // 1_440 + 1 for user_id in USERS)


def test_a_connected_user_without_a_slot_is_looked_at_once_a_day(table: Table, clock: FakeClock) -> None:
    """No slot holds such a user, so the list of all users who ever connected is read as well."""
    save_login(Connections(table, clock), "lost", Endpoint("dexcom", "us"), b"sealed", data_from=NOON)
    sent = DispatchQueue()
    tick(RECONCILIATIONS, table=table, send=DispatchQueue(), intervals_s={300}, clock=clock)
    for _ in range(24):
        clock.advance(3_600)
        tick(RECONCILIATIONS, table=table, send=sent, intervals_s={300}, clock=clock)
    repairs = [order for order in sent.orders if order.repairs]

    assert [(order.user_id, order.kind) for order in repairs] == [("lost", JobKind.RECONCILE)]
    assert sent.times == Counter([*USERS, "lost"])


@pytest.mark.exhaustive
def test_every_user_is_reconciled_once_a_day(table: Table, clock: FakeClock) -> None:
    """The ticks of a day reach each user once, in any slot, and spread them evenly."""
    SyncStates(table, clock).start_polling("slow", 86_400, NOON - timedelta(days=1))
    tick(RECONCILIATIONS, table=table, send=DispatchQueue(), intervals_s={300, 86_400}, clock=clock)
    sent = DispatchQueue()
    for _ in range(24 * 4):
        clock.advance(900)
        tick(RECONCILIATIONS, table=table, send=sent, intervals_s={300, 86_400}, clock=clock)

    assert sent.times == Counter([*USERS, "slow"])
    assert {order.kind for order in sent.orders} == {JobKind.RECONCILE}


def _users_of(table: Table, clock: FakeClock, shard: Shard) -> list[str]:
    sent = DispatchQueue()
    serve(replace(shard, at_s=int(clock.now().timestamp())), table=table, send=sent, clock=clock)
    return list(sent.times)


def _turn(table: Table, user_id: str, interval_s: int) -> int:
    slot: str = (table.get(user_id, "sync") or {})["seat"]
    assert slot.startswith(f"{interval_s}#")
    return int(slot.split("#")[1])
