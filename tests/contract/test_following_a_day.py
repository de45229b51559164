"""One stack follows another through its Nightscout facade for a simulated day, poll by poll."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from benchmarks.freshness import delays
from bg_ingest.sync.job import JobKind, JobStatus
from tests.support.fakes import NOON, FakeClock
from tests.support.following_stacks import FOLLOWED, FOLLOWER, MINUTE, FollowedFacade, FollowingStack

if TYPE_CHECKING:
    from bg_ingest.readings.store import ReadingStore


def _served(store: ReadingStore, user_id: str) -> list[tuple[datetime, object, object, object, object]]:
    found = store.between(user_id, NOON - timedelta(days=9), NOON + timedelta(days=9))
    return [
        (each.at, each.mg_dl, each.trend, each.status, each.local_offset_minutes)
        for each in (stored.reading for stored in found)
    ]


def _instants(store: ReadingStore, user_id: str) -> list[datetime]:
    return [each[0] for each in _served(store, user_id)]


@pytest.mark.parametrize("polls", [96, pytest.param(288, marks=pytest.mark.integration)])
def test_polls_make_the_stacks_equal(polls: int) -> None:
    """Late bursts, lost values and corrections: after the daily comparison both stacks have the same."""
    clock = FakeClock(NOON)
    upstream = FollowedFacade(clock)
    following = FollowingStack(upstream)
    assert following.sync(JobKind.BACKFILL) is JobStatus.SUCCEEDED
    for slot in range(polls):
        clock.advance(300)
        upstream.measure()
        assert following.sync() is JobStatus.SUCCEEDED
        if slot % 24 == 23:
            # A poll brings every reading that the other stack has by then, however late it came.
            assert _instants(following.stores.reading_store, FOLLOWER) == _instants(upstream.store, FOLLOWED)
            upstream.correct()
    clock.advance(3600)
    following.sync()
    assert following.sync(JobKind.RECONCILE) is JobStatus.SUCCEEDED

    assert len(upstream.measured) > 0.7 * polls
    assert _served(following.stores.reading_store, FOLLOWER) == _served(upstream.store, FOLLOWED)


def test_readings_are_readable_within_six_minutes() -> None:
    """From measured to readable, with polls every five minutes, whenever the sensor measures."""
    waits = delays(polls=24)

    assert len(waits) > 200
    assert waits[round(0.99 * (len(waits) - 1))] < 6 * MINUTE
    assert waits[0] > timedelta(0)
