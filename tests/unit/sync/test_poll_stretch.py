"""More users than the quota of calls allows: all intervals become longer by the same factor."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bg_ingest.dynamo import Table
from bg_ingest.sync.dispatching.poll_slots import poll_slot
from bg_ingest.sync.dispatching.poll_stretch import PollStretch, percent_needed
from bg_ingest.sync.state import SyncStates
from tests.support.fakes import NOON, FakeClock
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.ticking import tick

if TYPE_CHECKING:
    from bg_ingest.sync.job import Order

PERCENTS = st.integers(min_value=100, max_value=1_000)
HOUR = 60  # Minutes.
STEPS = st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=40)


class _Fleet:
    """Connected users, and the minutes in which each is sent."""

    def __init__(self, users: int, calls_per_hour: int | None, *, own: int = 0) -> None:
        self.clock = FakeClock()
        self.table = Table(MemoryDynamo.client(), "users")
        self.calls_per_hour = calls_per_hour
        self.states = SyncStates(self.table, self.clock)
        self.minutes: defaultdict[str, list[int]] = defaultdict(list)
        self.orders: list[Order] = []
        self.minute, self.percent_max = 0, 100
        self.join(users)
        for number in range(own):
            self.states.start_polling(f"own-{number}", None, NOON, own_pace=True)

    def join(self, users: int) -> None:
        for number in range(users):
            self.states.start_polling(f"user-{number}", None, NOON - timedelta(days=1))

    def run(self, minutes: int, missed: range = range(0)) -> None:
        for _ in range(minutes):
            if self.minute not in missed:
                orders: list[Order] = []
                done = tick(
                    table=self.table,
                    send=orders.extend,
                    intervals_s={900},
                    clock=self.clock,
                    calls_per_hour=self.calls_per_hour,
                )
                for order in orders:
                    self.minutes[order.user_id].append(self.minute)
                self.orders = orders
                self.percent_max = max(self.percent_max, done.stretch_percent)
            self.clock.advance(60)
            self.minute += 1

    def gaps(self, since: int, kind: str = "user") -> list[int]:
        """The minutes between two polls of a user, for all users."""
        return [
            later - earlier
            for user_id, minutes in self.minutes.items()
            if user_id.startswith(kind)
            for earlier, later in pairwise(minutes)
            if earlier >= since
        ]

    def sent_between(self, first: int, last: int) -> int:
        return sum(first <= minute < last for minutes in self.minutes.values() for minute in minutes)


@pytest.mark.parametrize(
    ("users", "turns", "percent"),
    [(1, 60, 100), (15_000, 60, 100), (15_001, 60, 101), (30_000, 30, 200), (100_000, 9, 667)],
)
def test_the_quota_of_dexcom_is_filled_by_15_000_users(users: int, turns: int, percent: int) -> None:
    """Of 60,000 calls an hour, 15,000 users at 900 s need all, and 30,000 users get 1,800 s."""
    assert percent_needed({900: users * turns // 15}, {900: turns}, 60_000) == percent


def test_polls_that_wait_for_the_quota_go_first() -> None:
    """In the hour after an overrun the interval is longer still, or the waiting polls would never end."""
    assert percent_needed({900: 66_000}, {900: 60}, 60_000) == 123  # 6,000 wait: 66,000 into 54,000.
    assert percent_needed({900: 120_000}, {900: 60}, 60_000) == 400  # At most half of the quota is for them.


@given(
    st.dictionaries(st.sampled_from([300, 900, 86_400]), st.integers(0, 10**7), min_size=1),
    st.integers(1, 200),
    st.integers(60, 10**6),
)
def test_the_stretched_polls_fit_into_the_quota(users: dict[int, int], turns: int, quota: int) -> None:
    """For any users, the polls of an hour fit, and the stretch is no larger than it must be."""
    percent = percent_needed(users, dict.fromkeys(users, turns), quota)
    needed = sum(users.values()) * 60 / turns

    assert needed * 100 / percent <= quota * (1 + 1e-6)
    if sum(users.values()) <= quota:
        assert percent == 100 or needed * 100 / (percent - 1) > quota * (1 - 1e-6)


@given(PERCENTS, STEPS)
def test_turns_never_skip_and_never_go_back(percent: int, steps: list[int]) -> None:
    """However the ticks come, the turns up to a minute are as many as the stretch says."""
    stretch, minute = PollStretch(percent, 1_000, 1_000_000, 0), 1_000
    for step in steps:
        before, minute = stretch, minute + step
        stretch = stretch.at(minute)
        assert before.turn <= stretch.turn <= before.turn + step
    due = 1_000 + (minute - 1_000) * 100 / percent

    assert due - 1 - len(steps) / 1_000 <= stretch.turn <= due


@given(
    percent=PERCENTS,
    user_id=st.text(min_size=1, max_size=20),
    interval_s=st.sampled_from([300, 900, 3_600]),
    own_pace=st.booleans(),
)
def test_the_announced_minute_is_the_one_of_the_poll(
    percent: int, user_id: str, interval_s: int, *, own_pace: bool
) -> None:
    """The next poll that the API announces is the first minute with the user's turn."""
    slot = poll_slot(user_id, interval_s, own_pace=own_pace)
    stretch = PollStretch(percent, 1_000, 1_000_000, 0)
    announced = stretch.next_due_minute(slot, 1_000)
    number, slots = int(slot.split("#")[1]), interval_s // 60

    def turns_to(minute: int) -> range:
        return range(1_001, (minute if own_pace else stretch.at(minute).turn) + 1)

    assert any(turn % slots == number for turn in turns_to(announced))
    assert not any(turn % slots == number for turn in turns_to(announced - 1))


def test_twice_the_users_are_polled_half_as_often() -> None:
    """After an hour that shows the need, each user is polled every 30 minutes."""
    fleet = _Fleet(users=60, calls_per_hour=120)
    fleet.run(HOUR + 5)
    assert set(fleet.gaps(0)) == {15}
    fleet.run(4 * HOUR)
    stretch = fleet.states.stretch()

    assert (stretch.percent, stretch.interval_s(900), stretch.interval_s(900, own_pace=True)) == (
        200,
        1_800,
        900,
    )
    assert set(fleet.gaps(2 * HOUR + 15)) <= {29, 30, 31}  # A few users are a rough sample.
    assert len(fleet.minutes) == 60
    for hour in (2, 3):
        assert fleet.sent_between(hour * HOUR + 5, (hour + 1) * HOUR + 5) in range(112, 129)


def test_polls_are_valid_for_the_stretched_interval() -> None:
    """A poll waits as long as the next one is away; shorter, and a busy queue would drop every other poll."""
    fleet = _Fleet(users=60, calls_per_hour=120)
    fleet.run(3 * HOUR)
    while not fleet.orders:
        fleet.run(1)

    assert {(order.interval_s, order.stretch_percent) for order in fleet.orders} == {(1_800, 200)}


def test_users_with_servers_of_their_own_are_not_slowed_down() -> None:
    """Only users of the shared quota are polled less often, and only they are counted."""
    fleet = _Fleet(users=60, calls_per_hour=120, own=40)
    fleet.run(4 * HOUR)

    assert set(fleet.gaps(0, "own")) == {15}
    assert set(fleet.gaps(2 * HOUR + 10, "user")) <= {29, 30, 31}


def test_the_interval_shrinks_again_with_fewer_users() -> None:
    """An hour after half of the users have left, the others are polled as they chose."""
    fleet = _Fleet(users=60, calls_per_hour=120)
    fleet.run(3 * HOUR)
    for number in range(30):
        fleet.states.stop_polling(f"user-{number * 2}")
    fleet.run(4 * HOUR)

    assert fleet.states.stretch().percent in range(100, 115)
    assert max(fleet.gaps(5 * HOUR)) <= 18


def test_without_a_quota_no_interval_becomes_longer() -> None:
    """Without a quota nothing is stretched, and a stretch from before ends."""
    fleet = _Fleet(users=60, calls_per_hour=120)
    fleet.run(2 * HOUR)
    fleet.calls_per_hour = None
    fleet.run(2 * HOUR)

    assert fleet.states.stretch().percent == 100
    assert set(fleet.gaps(2 * HOUR + 15)) == {15}


@settings(max_examples=6, deadline=None)
@given(
    quota=st.integers(min_value=30, max_value=200),
    joining=st.integers(min_value=0, max_value=40),
    missed=st.integers(min_value=0, max_value=90),
)
def test_no_user_is_starved_while_the_stretch_changes(quota: int, joining: int, missed: int) -> None:
    """With any quota, users that join, and lost ticks, no user waits longer than the longest interval."""
    fleet = _Fleet(users=20, calls_per_hour=quota)
    fleet.run(90)
    fleet.join(20 + joining)
    fleet.run(90)
    fleet.run(2 * HOUR + missed, missed=range(fleet.minute, fleet.minute + missed))
    fleet.run(15 * fleet.percent_max // 100)

    assert max(fleet.gaps(0)) <= 15 * fleet.percent_max / 100 + missed + 2
    assert len(fleet.minutes) == 20 + joining
