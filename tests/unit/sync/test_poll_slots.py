from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.dynamo import Table
from bg_ingest.settings import POLL_INTERVALS_S
from bg_ingest.sync.dispatch import dispatch
from bg_ingest.sync.poll_slots import (
    SLOWED_INTERVALS,
    interval_now_s,
    is_reconciled_in,
    next_due_minute,
    poll_slot,
    slot_due,
    slots_due,
    slots_reconciled,
)
from bg_ingest.sync.state import Backfill, SyncState, SyncStates
from tests.support.fakes import NOON, FakeClock
from tests.support.memory_dynamo import MemoryDynamo

if TYPE_CHECKING:
    from bg_ingest.sync.job import Order

INTERVALS_S = st.sampled_from([60, 300, 900, 1_800, 3_600, 21_600, 86_400])
USER_IDS = st.text(min_size=1, max_size=30)
MINUTES = st.integers(min_value=0, max_value=40_000_000)


@given(USER_IDS, INTERVALS_S, MINUTES)
def test_each_user_is_due_once_per_interval(user_id: str, interval_s: int, minute: int) -> None:
    """Any period of one interval has exactly one minute in which the user is due."""
    slot = poll_slot(user_id, interval_s)
    window = range(minute, minute + interval_s // 60)

    assert sum(slot_due(each, interval_s) == slot for each in window) == 1


@given(USER_IDS, INTERVALS_S, MINUTES)
def test_the_next_due_minute_is_the_first_one_due(user_id: str, interval_s: int, minute: int) -> None:
    """The next poll that the API announces is the minute in which it happens."""
    slot = poll_slot(user_id, interval_s)
    promised = next_due_minute(slot, minute)

    assert slot_due(promised, interval_s) == slot
    assert minute < promised <= minute + interval_s // 60


@given(USER_IDS)
def test_slots_of_different_intervals_are_different(user_id: str) -> None:
    """A user of one interval is not found in the slots of another."""
    assert poll_slot(user_id, 300) not in {slot_due(minute, 900) for minute in range(15)}


def test_a_users_poll_slot_never_changes() -> None:
    """Slots are stored, so another hash would leave users in slots that are not polled."""
    assert [poll_slot(user_id, 21_600) for user_id in ("ada", "grace", "\u0142")] == [
        "21600#38",
        "21600#251",
        "21600#259",
    ]


def test_users_are_spread_evenly_over_the_poll_slots() -> None:
    """Of ten thousand users, the fullest minute has at most a tenth more than the average."""
    slots = Counter(poll_slot(f"user-{number}", 900) for number in range(10_000))

    assert len(slots) == 15
    assert max(slots.values()) < 1.1 * 10_000 / 15


@given(USER_IDS, INTERVALS_S, MINUTES)
def test_each_user_is_reconciled_in_one_hour_of_a_day(user_id: str, interval_s: int, first_hour: int) -> None:
    """The hour is the same every day, and the user's slot is among the slots of that hour."""
    hours = [range(hour, hour + 1) for hour in range(first_hour, first_hour + 48)]
    own = [hour for hour in hours if is_reconciled_in(hour, user_id)]

    assert [hour.start - own[0].start for hour in own] == [0, 24]
    assert is_reconciled_in(range(first_hour, first_hour + 24), user_id)
    assert poll_slot(user_id, interval_s) in slots_reconciled(own[0], interval_s)


@given(INTERVALS_S, MINUTES, st.integers(min_value=0, max_value=10_000))
def test_missed_minutes_have_the_slots_of_each_minute(interval_s: int, first: int, missed: int) -> None:
    """After an outage of any length, exactly the slots that were due are found."""
    minutes = range(first, first + missed)

    assert slots_due(minutes, interval_s) == {slot_due(minute, interval_s) for minute in minutes}


def test_ten_thousand_users_are_each_sent_once_per_interval() -> None:
    """The load of each minute is within a tenth of the average, and no tick writes an item of a user."""
    # As large as a page of keys in DynamoDB, which has one megabyte.
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
    # Two writes per tick, and one that stores the intervals.
    assert memory.writes - begun == 2 * 60 + 1


CHOSEN_S = st.sampled_from(sorted(POLL_INTERVALS_S))
QUIET = st.timedeltas(min_value=timedelta(days=-1), max_value=timedelta(days=900))
JUST_NOW, YESTERDAY, LAST_WEEK = (NOON - timedelta(hours=hours) for hours in (1, 25, 169))


@given(CHOSEN_S, QUIET)
def test_a_poll_interval_is_never_shorter_than_chosen(chosen_s: int, quiet: timedelta) -> None:
    """Missing data only ever makes the interval longer."""
    assert interval_now_s(chosen_s, quiet) >= chosen_s


@given(CHOSEN_S, QUIET, QUIET)
def test_the_interval_grows_with_the_time_without_data(
    chosen_s: int, one: timedelta, other: timedelta
) -> None:
    """More time without data never makes polls more frequent."""
    assert interval_now_s(chosen_s, min(one, other)) <= interval_now_s(chosen_s, max(one, other))


def test_a_day_and_a_week_without_data_slow_polls_down() -> None:
    """Without data for a day, polls are an hour apart; after a week, six hours."""
    intervals = [interval_now_s(900, timedelta(hours=hours)) for hours in (0, 23, 24, 167, 168)]

    assert intervals == [900, 900, 3_600, 3_600, 21_600]


def test_the_dispatcher_serves_every_slowed_interval() -> None:
    """A slowed interval that is not dispatched would stop the polls."""
    assert {slow_s for _, slow_s in SLOWED_INTERVALS} <= POLL_INTERVALS_S


@pytest.mark.parametrize(
    ("connected_at", "data_until", "interval_s"),
    [
        (LAST_WEEK, JUST_NOW, 900),
        (LAST_WEEK, YESTERDAY, 3_600),
        (YESTERDAY, LAST_WEEK, 3_600),
        (JUST_NOW, LAST_WEEK, 900),
        (JUST_NOW, None, 900),
        (LAST_WEEK, None, 21_600),
    ],
)
def test_the_time_without_data_starts_at_a_login_or_reading(
    connected_at: datetime, data_until: datetime | None, interval_s: int
) -> None:
    """It starts at the newest reading, or at a later login, so that a new user is not slowed down."""
    state = SyncState(
        "ada", 900, None, None, Backfill(connected_at, connected_at), connected_at, connected_at
    )

    assert state.slot_now(data_until, NOON) == poll_slot("ada", interval_s)
