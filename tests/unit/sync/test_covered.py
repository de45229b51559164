"""What a poll leaves for the next one never claims more than is stored."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.sync import windows
from bg_ingest.sync.polls.covered import GAPS_MAX, Covered
from tests.support.fakes import NOON

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
