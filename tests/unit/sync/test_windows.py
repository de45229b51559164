from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.sync import windows
from bg_ingest.sync.state import Backfill, SyncState
from bg_ingest.sync.windows import GAPS_MAX, Covered
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
def test_a_poll_fetches_all_missing_readings(known: set[int]) -> None:
    """The window contains every gap of the last day, for any newest reading."""
    horizon = NOON - windows.POLL_HORIZON
    slots = [horizon + number * timedelta(minutes=5) for number in range(288)]
    start, end = windows.poll_window([slots[number] for number in sorted(known)], NOON)

    assert all(start <= slots[number] < end for number in range(1, 288) if number not in known)


def test_a_poll_starts_at_the_oldest_gap_of_the_last_day() -> None:
    """Without a gap it starts three hours before the newest reading, and never more than a day ago."""
    day = [NOON - 24 * HOUR + number * timedelta(minutes=5) for number in range(288)]
    some = day[:100] + day[110:]
    end = NOON + timedelta(minutes=10)

    assert windows.poll_window([], NOON) == (NOON - 24 * HOUR, end)
    assert windows.poll_window(day, NOON) == (day[-1] - 3 * HOUR, end)
    assert windows.poll_window(some, NOON) == (day[99], end)
    assert windows.poll_window(day[:6], NOON) == (NOON - 24 * HOUR, end)


def test_a_backfill_fetches_the_newest_window_first() -> None:
    """Windows have ten days, and the last one ends at the start of the history."""
    start = NOON - 14 * DAY

    assert windows.next_backfill_window(Backfill(start, NOON)) == (NOON - 10 * DAY, NOON)
    assert windows.next_backfill_window(Backfill(start, NOON - 10 * DAY)) == (start, NOON - 10 * DAY)
    assert windows.next_backfill_window(Backfill(start, start)) is None


def test_a_short_rest_is_fetched_with_its_window() -> None:
    """A rest of seconds is added to the window, and a rest of an hour is fetched separately."""
    start = NOON - 10 * DAY - timedelta(seconds=2)

    assert windows.next_backfill_window(Backfill(start, NOON)) == (start, NOON)
    assert list(windows.newest_first((NOON - 10 * DAY - HOUR, NOON))) == [
        (NOON - 10 * DAY, NOON),
        (NOON - 10 * DAY - HOUR, NOON - 10 * DAY),
    ]


def test_uploads_are_requested_with_a_day_of_overlap() -> None:
    """An upload may be served a day late, and the first request starts at the login."""
    known = _state()

    assert windows.uploads_unseen_since(known) == NOON - 2 * DAY
    assert windows.uploads_unseen_since(replace(known, reconciled_at=NOON)) == NOON - DAY


@given(LENGTHS)
def test_the_parts_of_a_window_cover_it_once(length: timedelta) -> None:
    """The parts are adjacent, newest first, and each is within the provider's limit."""
    parts = list(windows.newest_first((NOON - length, NOON)))

    assert (parts[0][1], parts[-1][0]) == (NOON, NOON - length)
    assert all(later[0] == earlier[1] for later, earlier in pairwise(parts))
    assert all(end - start < windows.BACKFILL_WINDOW + windows.REST_MIN for start, end in parts)
    assert all(end - start >= min(length, windows.REST_MIN) for start, end in parts)


def test_a_window_at_the_first_date_is_one_part() -> None:
    """A caller may request the earliest possible date."""
    start = datetime.min.replace(tzinfo=UTC)

    assert list(windows.newest_first((start, start + DAY))) == [(start, start + DAY)]


def test_a_reconciliation_starts_at_the_oldest_upload() -> None:
    """It covers at least three days, and starts no earlier than the history."""
    asked = [
        windows.reconcile_window(uploaded_from, HISTORY, NOON)
        for uploaded_from in (None, NOON - HOUR, NOON - 21 * DAY, NOON - 900 * DAY)
    ]

    assert {end for _, end in asked} == {NOON + timedelta(minutes=10)}
    assert [start for start, _ in asked] == [NOON - 3 * DAY, NOON - 3 * DAY, NOON - 21 * DAY, HISTORY]


def test_reconnecting_fetches_the_missed_history() -> None:
    """It starts a month before the last success, or at the start of an unfinished history."""
    was_here = _state(last_success_at=NOON - 10 * DAY)

    assert windows.history_after_reconnecting(was_here, HISTORY) == NOON - 40 * DAY
    assert windows.history_after_reconnecting(_state(), HISTORY) == NOON - 200 * DAY
    unfinished = _state(last_success_at=NOON - DAY, done=False)
    assert windows.history_after_reconnecting(unfinished, HISTORY) == NOON - 200 * DAY


MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SLOTS = 24 * 12 + 60
FIRST = NOON - SLOTS * 5 * MINUTE
# The number of a reading, and the minutes after which the provider serves it.
LIVES = st.dictionaries(
    st.integers(min_value=0, max_value=SLOTS + 40), st.integers(min_value=0, max_value=600), max_size=200
)
POLLS = st.lists(st.integers(min_value=1, max_value=90), min_size=1, max_size=12)


def _reopened(covered: Covered | None) -> Covered | None:
    return Covered.from_bytes(covered.to_bytes()) if covered else None


@given(LIVES, POLLS, st.sets(st.integers(min_value=0, max_value=SLOTS)))
def test_every_poll_starts_at_the_oldest_gap_or_before(
    life: dict[int, int], pauses: list[int], pushed: set[int]
) -> None:
    """With late readings and readings of webhooks, no window is shorter than one made from the hours."""
    at = {number: FIRST + number * 5 * MINUTE for number in range(SLOTS + 41)}
    stored = {at[number] for number in pushed}
    now, covered = NOON, None
    for pause in pauses:
        now += pause * MINUTE
        since = now - windows.POLL_HORIZON
        from_hours = windows.poll_window(sorted(each for each in stored if each >= since), now)
        window = windows.window_after(covered, now) if covered else from_hours

        assert window[0] <= from_hours[0]
        assert window[1] == from_hours[1]

        served = [at[number] for number, late in life.items() if at[number] + late * MINUTE <= now]
        fetched = {each for each in (*served, *stored) if window[0] <= each < window[1]}
        stored |= fetched
        covered = _reopened(Covered.after_poll(window, fetched))


@given(st.sets(st.integers(min_value=0, max_value=287), min_size=1))
def test_a_day_of_readings_gives_the_window_of_its_hours(known: set[int]) -> None:
    """Up to the limit of gaps, the window is the same as one made from the hours."""
    horizon = NOON - windows.POLL_HORIZON
    instants = [horizon + number * 5 * MINUTE for number in sorted(known)]

    covered = Covered.after_poll((horizon, NOON + windows.AHEAD), instants)

    assert covered
    assert windows.window_after(covered, NOON) == windows.poll_window(instants, NOON)


def test_a_gap_that_is_filled_moves_the_next_window() -> None:
    """As long as a reading is missing, the polls start before it; afterwards at the overlap."""
    day = [NOON - 24 * HOUR + number * 5 * MINUTE for number in range(288)]
    window = (NOON - 24 * HOUR, NOON + windows.AHEAD)

    covered = Covered.after_poll(window, day[:100] + day[110:])
    assert covered
    start, end = windows.window_after(covered, NOON)
    assert start == day[99]

    covered = Covered.after_poll((start, end), day[99:])
    assert covered == Covered(day[-1])
    assert windows.window_after(covered, NOON)[0] == day[-1] - windows.OVERLAP


def test_many_gaps_are_joined_from_the_oldest_on() -> None:
    """The joined gap starts and ends where its parts do, so more is fetched than is missing."""
    known = [NOON - 24 * HOUR + number * 15 * MINUTE for number in range(20)]

    covered = Covered.after_poll((known[0], NOON), known)

    assert covered
    assert len(covered.gaps) == GAPS_MAX
    assert covered.gaps[0] == (known[0], known[12])
    assert covered.gaps[-1] == (known[18], known[19])
    assert len(covered.to_bytes()) == 4 * (1 + 2 * GAPS_MAX)


def test_a_poll_without_readings_leaves_nothing() -> None:
    """The next poll then reads the hours; readings outside of the window do not count."""
    window = (NOON - HOUR, NOON)

    assert Covered.after_poll(window, []) is None
    assert Covered.after_poll(window, [NOON, NOON - 2 * HOUR]) is None


def test_fractions_of_a_second_are_cut_off() -> None:
    """An instant never moves to a later time, so a window never starts too late."""
    newest = datetime(2026, 11, 21, 12, 0, 0, 999_999, tzinfo=UTC)

    assert _reopened(Covered(newest)) == Covered(newest.replace(microsecond=0))


def test_a_gap_that_ends_at_the_horizon_is_not_fetched() -> None:
    """A gap counts if it reaches beyond the time from which on readings are fetched."""
    covered = Covered(NOON, ((NOON - 4 * HOUR, NOON - 3 * HOUR),))

    assert covered.oldest_gap(NOON - 3 * HOUR) is None
    assert covered.oldest_gap(NOON - 3 * HOUR - MINUTE) == NOON - 4 * HOUR


def test_a_gap_with_one_end_is_unreadable() -> None:
    """The stored form has the newest reading and two instants for each gap."""
    with pytest.raises(ValueError, match="shorter"):
        Covered.from_bytes(bytes(8))
