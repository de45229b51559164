from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.sync import windows
from bg_ingest.sync.state import Backfill, SyncState
from tests.support.fakes import NOON

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HISTORY = NOON - 90 * DAY
LENGTHS = st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=400))


def _state(*, last_success_at: datetime | None = None, done: bool = True) -> SyncState:
    start = NOON - 200 * DAY
    backfill = Backfill(start, start if done else start + DAY)
    return SyncState(
        "ada", 900, None, "900#1", backfill, start, connected_at=NOON - DAY, last_success_at=last_success_at
    )


@given(st.sets(st.integers(min_value=0, max_value=287), max_size=288))
def test_a_poll_asks_for_everything_that_is_missing(known: set[int]) -> None:
    """Whatever of the last day is not stored lies in the window, however new the newest reading is."""
    horizon = NOON - windows.POLL_HORIZON
    slots = [horizon + number * timedelta(minutes=5) for number in range(288)]
    start, end = windows.poll_window([slots[number] for number in sorted(known)], NOON)

    assert all(start <= slots[number] < end for number in range(1, 288) if number not in known)


def test_where_a_poll_starts() -> None:
    """At the oldest gap of the last day; without one, three hours before the newest; never earlier."""
    day = [NOON - 24 * HOUR + number * timedelta(minutes=5) for number in range(288)]
    some = day[:100] + day[110:]
    end = NOON + timedelta(minutes=10)

    assert windows.poll_window([], NOON) == (NOON - 24 * HOUR, end)
    assert windows.poll_window(day, NOON) == (day[-1] - 3 * HOUR, end)
    assert windows.poll_window(some, NOON) == (day[99], end)
    assert windows.poll_window(day[:6], NOON) == (NOON - 24 * HOUR, end)


def test_a_history_is_fetched_newest_first() -> None:
    """In stretches of ten days, the last of which ends where the history begins."""
    start = NOON - 14 * DAY

    assert windows.next_backfill_window(Backfill(start, NOON)) == (NOON - 10 * DAY, NOON)
    assert windows.next_backfill_window(Backfill(start, NOON - 10 * DAY)) == (start, NOON - 10 * DAY)
    assert windows.next_backfill_window(Backfill(start, start)) is None


def test_a_rest_of_a_moment_costs_no_call_of_its_own() -> None:
    """Storing tokens takes one, between a history's start and that of polling. An hour is worth a call."""
    start = NOON - 10 * DAY - timedelta(seconds=2)

    assert windows.next_backfill_window(Backfill(start, NOON)) == (start, NOON)
    assert list(windows.newest_first((NOON - 10 * DAY - HOUR, NOON))) == [
        (NOON - 10 * DAY, NOON),
        (NOON - 10 * DAY - HOUR, NOON - 10 * DAY),
    ]


def test_uploads_are_looked_for_since_a_day_before_the_last_look() -> None:
    """What was uploaded shortly before it may have been served only after it; the first look is the login."""
    known = _state()

    assert windows.uploads_unseen_since(known) == NOON - 2 * DAY
    assert windows.uploads_unseen_since(replace(known, reconciled_at=NOON)) == NOON - DAY


@given(LENGTHS)
def test_parts_of_a_window_cover_it_once(length: timedelta) -> None:
    """Newest first, end to end, and each within what the provider answers for."""
    parts = list(windows.newest_first((NOON - length, NOON)))

    assert (parts[0][1], parts[-1][0]) == (NOON, NOON - length)
    assert all(later[0] == earlier[1] for later, earlier in pairwise(parts))
    assert all(end - start < windows.BACKFILL_WINDOW + windows.REST_MIN for start, end in parts)
    assert all(end - start >= min(length, windows.REST_MIN) for start, end in parts)


def test_a_window_at_the_beginning_of_the_calendar_is_one_part() -> None:
    """A caller may ask for it, and gets what there is: nothing."""
    start = datetime.min.replace(tzinfo=UTC)

    assert list(windows.newest_first((start, start + DAY))) == [(start, start + DAY)]


def test_a_reconciliation_reaches_back_as_far_as_something_was_uploaded() -> None:
    """Three days in any case; weeks when a receiver was plugged in; never before the history."""
    asked = [
        windows.reconcile_window(uploaded_from, HISTORY, NOON)
        for uploaded_from in (None, NOON - HOUR, NOON - 21 * DAY, NOON - 900 * DAY)
    ]

    assert {end for _, end in asked} == {NOON + timedelta(minutes=10)}
    assert [start for start, _ in asked] == [NOON - 3 * DAY, NOON - 3 * DAY, NOON - 21 * DAY, HISTORY]


def test_connecting_again_fetches_what_was_missed() -> None:
    """From a month before the last success; everything, if the history was never complete."""
    was_here = _state(last_success_at=NOON - 10 * DAY)

    assert windows.history_after_reconnecting(was_here, HISTORY) == NOON - 40 * DAY
    assert windows.history_after_reconnecting(_state(), HISTORY) == NOON - 200 * DAY
    unfinished = _state(last_success_at=NOON - DAY, done=False)
    assert windows.history_after_reconnecting(unfinished, HISTORY) == NOON - 200 * DAY
