"""How late readings are stored, divided between the provider and this service."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.readings.delays import Delays, median_delays, next_reading_at
from bg_ingest.readings.gaps import INTERVAL
from bg_ingest.readings.model import Device
from bg_ingest.readings.stored.stored_reading import StoredReading
from tests.unit.readings.made_up import measured

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
POLLS = timedelta(minutes=15)
LONG_AGO = NOON - timedelta(days=30)
HOUR = timedelta(hours=1)


def fetched(at: datetime, *ages: timedelta, stored_after: timedelta = timedelta(0)) -> list[StoredReading]:
    """The readings of one fetch, by their ages."""
    return [
        StoredReading(measured(at - age), at + stored_after, fetched_at=at)
        for age in sorted(ages, reverse=True)
    ]


def polls(provider: timedelta, interval: timedelta, count: int = 20) -> list[StoredReading]:
    """A day of polls, each of which brings what the provider has served since the one before."""
    return [
        one
        for n in range(count)
        for one in fetched(
            NOON + n * interval, *(provider + INTERVAL * step for step in range(interval // INTERVAL))
        )
    ]


def test_the_newest_of_a_fetch_shows_the_provider() -> None:
    """It is an hour old at each fetch; the other two of a poll waited five and ten minutes for it."""
    assert median_delays(polls(HOUR, POLLS), LONG_AGO, POLLS) == Delays(provider_s=3600, our_s=300)


def test_storing_late_is_our_delay() -> None:
    """A reading that was fetched at once and stored after ten minutes."""
    readings = fetched(NOON, HOUR, stored_after=timedelta(minutes=10))
    assert median_delays(readings, LONG_AGO, POLLS) == Delays(provider_s=3600, our_s=600)


def test_an_upload_of_a_week_is_the_provider_s_delay() -> None:
    """Our own part is one polling interval at most."""
    readings = fetched(NOON, *(INTERVAL * n for n in range(1, 2016)))
    found = median_delays(readings, LONG_AGO, POLLS)

    assert found is not None
    assert found.our_s == POLLS.total_seconds()
    assert found.provider_s > timedelta(days=3).total_seconds()


def test_the_history_counts_by_its_newest_reading() -> None:
    """Everything older could not be fetched before the user connected."""
    readings = fetched(NOON, *(HOUR + INTERVAL * n for n in range(288)))
    assert median_delays(readings, NOON - timedelta(minutes=1), POLLS) == Delays(provider_s=3600, our_s=0)


def test_a_revision_makes_no_reading_late() -> None:
    """The first version counts."""
    (first,) = fetched(NOON, HOUR)
    later = NOON + timedelta(hours=9)
    revised = replace(first, stored_at=later, fetched_at=later, revision=1, earlier=first.versions)

    assert median_delays([revised], LONG_AGO, POLLS) == Delays(provider_s=3600, our_s=0)


def test_a_relay_and_the_own_provider_have_delays_of_their_own() -> None:
    """A relay passes a reading on after three minutes, and the sensor's provider after an hour."""
    (own,) = fetched(NOON, HOUR)
    (relayed,) = fetched(NOON - 57 * timedelta(minutes=1), timedelta(minutes=3))
    passed_on = replace(relayed.reading, device=Device(relay="nightscout"))
    both = replace(own, revision=1, earlier=(replace(relayed.versions[0], reading=passed_on),))

    assert median_delays([both], LONG_AGO, POLLS) == Delays(provider_s=3600, our_s=0)
    assert median_delays([both], LONG_AGO, POLLS, relayed=True) == Delays(provider_s=180, our_s=0)


def test_no_delays_without_readings() -> None:
    """A manual reading and one from the future say nothing about delays."""
    (manual,), (future,) = fetched(NOON, HOUR), fetched(NOON, -HOUR)
    manual = replace(manual, reading=replace(manual.reading, kind="manual"))

    assert median_delays([manual, future], LONG_AGO, POLLS) is None


def test_the_next_reading_takes_as_long_as_the_newest() -> None:
    """It is measured five minutes later."""
    (newest,) = fetched(NOON, HOUR, stored_after=timedelta(seconds=9))
    assert next_reading_at(newest) == NOON + INTERVAL + timedelta(seconds=9)


@given(st.lists(st.lists(st.integers(0, 90_000), min_size=1), min_size=1), st.integers(0, 4000))
def test_both_delays_are_never_negative(ages_s: list[list[int]], stored_after_s: int) -> None:
    """Ours contains the time of storing and exceeds it by one interval at most."""
    readings = [
        one
        for n, ages in enumerate(ages_s)
        for one in fetched(
            NOON + n * POLLS,
            *(timedelta(seconds=age) for age in ages),
            stored_after=timedelta(seconds=stored_after_s),
        )
    ]
    found = median_delays(readings, LONG_AGO, POLLS)

    assert found is not None
    assert found.provider_s >= 0
    assert stored_after_s <= found.our_s <= stored_after_s + POLLS.total_seconds()
