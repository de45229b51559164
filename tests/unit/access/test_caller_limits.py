from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.access.caller_limits import LimitPolicy, resets_in_s, window_of

policies = st.builds(
    LimitPolicy,
    st.just("sync"),
    st.integers(min_value=1, max_value=100),
    st.integers(min_value=1, max_value=86_400),
)
instants = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - made aware.


@given(policies, instants)
def test_the_reset_time_is_in_the_next_window(policy: LimitPolicy, now: datetime) -> None:
    """Retry-After is long enough, and at most one second too long."""
    wait_s = resets_in_s(policy, now)

    assert 1 <= wait_s <= policy.window_s
    assert window_of(policy, now + timedelta(seconds=wait_s)) == window_of(policy, now) + 1
    assert window_of(policy, now + timedelta(seconds=wait_s - 1)) == window_of(policy, now)


@given(policies, instants, st.integers(min_value=0, max_value=10**6))
def test_windows_follow_each_other_without_gaps(policy: LimitPolicy, now: datetime, later_s: int) -> None:
    """Time never returns to an earlier window, and a window is as long as its policy states."""
    passed = window_of(policy, now + timedelta(seconds=later_s)) - window_of(policy, now)

    assert passed >= 0
    assert abs(passed * policy.window_s - later_s) <= policy.window_s
