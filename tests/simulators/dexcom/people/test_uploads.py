from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dexcom_sim.people.population import population
from dexcom_sim.people.sensors import measurements
from dexcom_sim.people.uploads import UploadHold, lateness_s_max, uploaded_s

PEOPLE = population(1)
NOON_S = 1_777_204_800
INSTANTS = st.integers(NOON_S - 366 * 86_400, NOON_S)
DELAYS = st.sampled_from([0, 3_600, 10_800])


@given(st.sampled_from(sorted(PEOPLE)), INSTANTS, DELAYS)
def test_every_measurement_is_uploaded(user: str, measured_s: int, delay_s: int) -> None:
    """A measurement is uploaded after it was made, and within the longest lateness of its user."""
    late_s = uploaded_s(PEOPLE[user], measured_s, delay_s) - measured_s

    assert 0 <= late_s <= lateness_s_max(PEOPLE[user], delay_s)


@given(INSTANTS, st.integers(0, 86_400), DELAYS)
def test_uploads_keep_the_order_of_measurements(measured_s: int, later_s: int, delay_s: int) -> None:
    """A later measurement is never uploaded before an earlier one."""
    for person in PEOPLE.values():
        assert uploaded_s(person, measured_s, delay_s) <= uploaded_s(person, measured_s + later_s, delay_s)


@given(INSTANTS)
def test_a_phone_without_delay_uploads_at_once(measured_s: int) -> None:
    """With a delay of 0 the upload time is the time of the measurement."""
    assert uploaded_s(PEOPLE["SandboxUser1"], measured_s, 0) == measured_s


def test_a_receiver_uploads_days_at_once() -> None:
    """A month has few uploads, and one of them has more than three days of data."""
    person = PEOPLE["SandboxUser4"]
    month = [it.at_s for it in measurements(person, NOON_S - 30 * 86_400, NOON_S)]
    uploads = {uploaded_s(person, at_s, 3_600) for at_s in month}
    latest_s = max(uploaded_s(person, at_s, 3_600) - at_s for at_s in month)

    assert 3 <= len(uploads) <= 11
    assert latest_s > 3 * 86_400


@given(st.integers(0, 10_000), st.integers(1, 10_000), st.none() | st.integers(0, 20_000))
def test_a_hold_delays_later_uploads_only(since_s: int, delay_s: int, released_s: int | None) -> None:
    """Earlier uploads have arrived; later ones arrive at the end of the delay or at the release."""
    hold = UploadHold(1, None, since_s, delay_s, released_s)

    assert hold.arrival_s(since_s) == since_s
    for uploaded in range(since_s + 1, since_s + 500, 50):
        arrives_s = hold.arrival_s(uploaded)
        assert uploaded <= arrives_s <= uploaded + delay_s
        if released_s is None:
            assert arrives_s == uploaded + delay_s
        elif arrives_s != uploaded + delay_s:
            assert arrives_s == max(uploaded, released_s)


def test_a_hold_can_be_released_newest_first() -> None:
    """The latest upload arrives at the release and the earliest one last."""
    hold = UploadHold(1, None, 0, 100_000, released_s=36_000, newest_first_s=1_800)
    arrivals = [hold.arrival_s(uploaded_s) for uploaded_s in range(600, 36_001, 600)]

    assert arrivals == sorted(arrivals, reverse=True)
    assert (arrivals[0], arrivals[-1]) == (36_000 + 1_770, 36_000)
    assert hold.arrival_s(36_300) == 36_300
