from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.dynamo import Table
from bg_ingest.sync.dispatch import dispatch
from bg_ingest.sync.poll_slots import (
    is_reconciled_in,
    next_due_minute,
    poll_slot,
    slot_due,
    slots_due,
    slots_reconciled,
)
from bg_ingest.sync.state import SyncStates
from tests.support.fakes import NOON, FakeClock
from tests.support.memory_dynamo import MemoryDynamo

if TYPE_CHECKING:
    from bg_ingest.sync.job import Order

INTERVALS_S = st.sampled_from([60, 300, 900, 1_800, 3_600, 21_600, 86_400])
USER_IDS = st.text(min_size=1, max_size=30)
MINUTES = st.integers(min_value=0, max_value=40_000_000)


@given(USER_IDS, INTERVALS_S, MINUTES)
def test_every_user_is_due_exactly_once_an_interval(user_id: str, interval_s: int, minute: int) -> None:
    """Whenever one starts to look, one interval has one minute for each user."""
    seat = poll_slot(user_id, interval_s)
    window = range(minute, minute + interval_s // 60)

    assert sum(slot_due(each, interval_s) == seat for each in window) == 1


@given(USER_IDS, INTERVALS_S, MINUTES)
def test_the_next_due_minute_is_the_first_one_due(user_id: str, interval_s: int, minute: int) -> None:
    """What the API promises is when it happens."""
    seat = poll_slot(user_id, interval_s)
    promised = next_due_minute(seat, minute)

    assert slot_due(promised, interval_s) == seat
    assert minute < promised <= minute + interval_s // 60


@given(USER_IDS)
def test_seats_of_different_intervals_are_never_mixed_up(user_id: str) -> None:
    """A user of one interval is not found under another's seat."""
    assert poll_slot(user_id, 300) not in {slot_due(minute, 900) for minute in range(15)}


def test_a_users_seat_is_the_same_in_every_version() -> None:
    """Seats are stored: another hash would leave everybody where nobody looks for them."""
    assert [poll_slot(user_id, 21_600) for user_id in ("ada", "grace", "\u0142")] == [
        "21600#38",
        "21600#251",
        "21600#259",
    ]


def test_users_spread_evenly_over_the_seats() -> None:
    """Ten thousand users: the fullest minute has at most a tenth more than the mean."""
    seats = Counter(poll_slot(f"user-{number}", 900) for number in range(10_000))

    assert len(seats) == 15
    assert max(seats.values()) < 1.1 * 10_000 / 15


@given(USER_IDS, INTERVALS_S, MINUTES)
def test_everybody_is_reconciled_once_a_day(user_id: str, interval_s: int, first_hour: int) -> None:
    """In one and the same hour of any day, and there is a seat to find them on in that hour."""
    hours = [range(hour, hour + 1) for hour in range(first_hour, first_hour + 48)]
    own = [hour for hour in hours if is_reconciled_in(hour, user_id)]

    assert [hour.start - own[0].start for hour in own] == [0, 24]
    assert is_reconciled_in(range(first_hour, first_hour + 24), user_id)
    assert poll_slot(user_id, interval_s) in slots_reconciled(own[0], interval_s)


@given(INTERVALS_S, MINUTES, st.integers(min_value=0, max_value=10_000))
def test_missed_minutes_are_the_seats_of_each(interval_s: int, first: int, missed: int) -> None:
    """However long the silence was, every seat that was due is found, and no other."""
    minutes = range(first, first + missed)

    assert slots_due(minutes, interval_s) == {slot_due(minute, interval_s) for minute in minutes}


def test_ten_thousand_users_in_an_hour_are_each_sent_once_an_interval() -> None:
    """Load is flat to a tenth, and no tick writes anything for a user."""
    # A page as long as DynamoDB's megabyte of keys.
    clock, memory = FakeClock(), MemoryDynamo(page_items_max=10_000)
    table = Table(memory, "users")  # type: ignore[arg-type]  # A stand-in.
    for number in range(10_000):
        SyncStates(table, clock).start_polling(f"user-{number}", None, NOON)
    begun, sent, loads = memory.writes, Counter[str](), []
    for _ in range(60):
        orders: list[Order] = []
        dispatch(table=table, send=orders.extend, intervals_s={900, 3_600}, correlation_id="id", clock=clock)
        sent.update(order.user_id for order in orders)
        loads.append(len(orders))
        clock.advance(60)

    assert set(sent.values()) == {4}
    assert len(sent) == 10_000
    assert max(loads) <= 1.1 * sum(loads) / 60
    # Two writes a tick, and one that remembers the intervals.
    assert memory.writes - begun == 2 * 60 + 1
