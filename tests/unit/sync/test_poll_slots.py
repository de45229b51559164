from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.dynamo import Table
from bg_ingest.settings import POLL_INTERVALS_S
from bg_ingest.sync.dispatching.poll_slots import (
    SLOWED_INTERVALS,
    has_own_pace,
    interval_now_s,
    interval_of,
    is_reconciled_in,
    next_due_minute,
    number_due,
    numbers_reconciled,
    poll_slot,
    shard_count,
    slots_of_shard,
)
from bg_ingest.sync.state import SyncStates
from tests.support.fakes import NOON, FakeClock
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.ticking import tick

if TYPE_CHECKING:
    from bg_ingest.sync.job import Order

SHARDS = st.integers(min_value=1, max_value=99)
INTERVALS_S = st.sampled_from([60, 300, 900, 1_800, 3_600, 21_600, 86_400])
USER_IDS = st.text(min_size=1, max_size=30)
MINUTES = st.integers(min_value=0, max_value=40_000_000)


def _slots_due(minute: int, interval_s: int, shards: int = 1) -> list[str]:
    number = number_due(minute, interval_s)
    return [
        slot
        for shard in range(shard_count(interval_s, shards))
        for slot in slots_of_shard(interval_s, number, shard)
    ]


@given(USER_IDS, INTERVALS_S, MINUTES, SHARDS)
def test_each_user_is_due_once_per_interval(user_id: str, interval_s: int, minute: int, shards: int) -> None:
    """Any period of one interval has exactly one minute, and one shard, in which the user is due."""
    slot = poll_slot(user_id, interval_s, shards)
    window = range(minute, minute + interval_s // 60)

    assert sum(_slots_due(each, interval_s, shards).count(slot) for each in window) == 1


@given(USER_IDS, INTERVALS_S, MINUTES, SHARDS)
def test_users_are_found_while_the_shards_change(
    user_id: str, interval_s: int, minute: int, shards: int
) -> None:
    """A user from before the slot was divided, or from when it had fewer shards, is due as before."""
    due = {
        slot for each in range(minute, minute + interval_s // 60) for slot in _slots_due(each, interval_s, 99)
    }

    assert {poll_slot(user_id, interval_s), poll_slot(user_id, interval_s, shards)} <= due


@given(USER_IDS, INTERVALS_S, MINUTES, SHARDS)
def test_the_next_due_minute_is_the_first_one_due(
    user_id: str, interval_s: int, minute: int, shards: int
) -> None:
    """The next poll that the API announces is the minute in which it happens."""
    slot = poll_slot(user_id, interval_s, shards)
    promised = next_due_minute(slot, minute)

    assert slot in _slots_due(promised, interval_s, shards)
    assert minute < promised <= minute + interval_s // 60


@given(USER_IDS, INTERVALS_S, SHARDS)
def test_slots_of_own_servers_are_apart(user_id: str, interval_s: int, shards: int) -> None:
    """A user with a server of their own has the same turn, in slots that no other user has."""
    shared, own = (poll_slot(user_id, interval_s, shards, own_pace=pace) for pace in (False, True))
    number = int(own.split("#")[1])
    found = {
        pace: {
            slot
            for shard in range(shard_count(interval_s, shards))
            for slot in slots_of_shard(interval_s, number, shard, own_pace=pace)
        }
        for pace in (False, True)
    }

    assert (has_own_pace(shared), has_own_pace(own)) == (False, True)
    assert (shared in found[False], own in found[True], found[False] & found[True]) == (True, True, set())
    assert (interval_of(own), number) == (interval_s, int(shared.split("#")[1]))


@given(USER_IDS)
def test_slots_of_different_intervals_are_different(user_id: str) -> None:
    """A user of one interval is not found in the slots of another."""
    assert poll_slot(user_id, 300) not in {slot for minute in range(15) for slot in _slots_due(minute, 900)}


def test_a_change_of_default_spreads_over_the_index() -> None:
    """Of a million users at 900 s, those who move to 1,800 s in one minute cost a key 50 writes a second.

    DynamoDB accepts 1,000. The users of one slot stand for all.
    """
    moving = [user_id for user_id in map(str, range(1_000_000 // 15)) if poll_slot(user_id, 900) == "900#7"]
    keys = Counter(poll_slot(user_id, 1_800, 64) for user_id in moving)

    assert 15 * max(keys.values()) / 60 < 50


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
def test_each_user_is_reconciled_in_one_minute_of_a_day(user_id: str, interval_s: int, first: int) -> None:
    """The minute is the same every day, and the user's slot is among the slots of that minute."""
    own = [
        minute
        for minute in range(first, first + 2_880)
        if is_reconciled_in(range(minute, minute + 1), user_id)
    ]
    number = int(poll_slot(user_id, interval_s).split("#")[1])

    assert [minute - own[0] for minute in own] == [0, 1_440]
    assert is_reconciled_in(range(first, first + 1_440), user_id)
    assert number in numbers_reconciled(range(own[0], own[0] + 1), interval_s)


@given(USER_IDS, st.sampled_from([420, 900, 86_400]), MINUTES, st.integers(min_value=1, max_value=1_440))
def test_missed_reconciliations_have_the_slots_of_all(
    user_id: str, interval_s: int, first: int, missed: int
) -> None:
    """A tick that serves many minutes finds every user who is reconciled in one of them."""
    minutes = range(first, first + missed)
    numbers = numbers_reconciled(minutes, interval_s)

    assert len(numbers) == len(set(numbers))
    if is_reconciled_in(minutes, user_id):
        assert int(poll_slot(user_id, interval_s).split("#")[1]) in numbers


@pytest.mark.parametrize("shards", [1, 8])
def test_ten_thousand_users_are_each_sent_once_per_interval(shards: int) -> None:
    """The load of each minute is within a tenth of the average, and no tick writes an item of a user."""
    # As large as a page of keys in DynamoDB, which has one megabyte.
    clock, memory = FakeClock(), MemoryDynamo(page_items_max=10_000)
    table = Table(memory, "users")  # type: ignore[arg-type]  # A stand-in.
    for number in range(10_000):
        SyncStates(table, clock, shards=shards).start_polling(f"user-{number}", None, NOON)
    begun, sent, loads = memory.writes, Counter[str](), []
    for _ in range(60):
        orders: list[Order] = []
        tick(table=table, send=orders.extend, intervals_s={900, 3_600}, clock=clock, shards=shards)
        sent.update(order.user_id for order in orders)
        loads.append(len(orders))
        clock.advance(60)

    assert set(sent.values()) == {4}
    assert len(sent) == 10_000
    assert max(loads) <= 1.1 * sum(loads) / 60
    # Three writes per tick, two for each page of users, and one that stores the intervals.
    assert memory.writes - begun <= 60 * (3 + (4 if shards == 1 else shards)) + 1


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
    states = SyncStates(Table(MemoryDynamo(), "users"), FakeClock(connected_at))  # type: ignore[arg-type]  # A stand-in.
    states.start_polling("ada", 900, NOON)
    state = states.get("ada")
    assert state
    states.clock.advance((NOON - connected_at).total_seconds())  # type: ignore[attr-defined]  # A FakeClock.
    states.move_slot(state, data_until)

    moved = states.get("ada")
    assert moved
    assert moved.slot == poll_slot("ada", interval_s)
