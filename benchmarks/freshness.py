"""How long after its measurement a reading of a user's own Nightscout is readable, with polls every 300 s."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from bg_ingest.readings.model import Reading
from tests.support.fakes import NOON, FakeClock
from tests.support.following_stacks import FOLLOWED, FOLLOWER, FollowedFacade, FollowingStack

INTERVAL_S = 300
# From the measurement until the user's Nightscout has it: sensor, phone and upload.
UPLOAD_S = (5, 60)
# From the minute of a poll until its call: REPORT.md and SCALE.md, 99 of 100 polls.
ORDER_S = (0, 10)
# The distances between the poll slot of a user and the measurements of their sensor.
DISTANCES_S = range(0, INTERVAL_S, 25)


def delays(polls: int = 96) -> list[timedelta]:
    """From measured to stored, shortest first: a sensor, a Nightscout and a stack that polls it."""
    return sorted(delay for distance_s in DISTANCES_S for delay in _delays_at(distance_s, polls))


def _delays_at(distance_s: int, polls: int) -> list[timedelta]:
    clock, chance = FakeClock(NOON), Random(distance_s)  # noqa: S311 - every run must be the same.
    upstream = FollowedFacade(clock)
    following = FollowingStack(upstream)
    waiting: list[tuple[float, Reading]] = []
    measured_s, polled_s, now_s = 0.0, float(distance_s), 0.0
    while polled_s < distance_s + polls * INTERVAL_S:
        call_s = polled_s + chance.uniform(*ORDER_S)
        while measured_s <= call_s:
            reading = Reading(NOON + timedelta(seconds=measured_s), chance.randint(60, 250), trend="flat")
            waiting.append((measured_s + chance.uniform(*UPLOAD_S), reading))
            measured_s += INTERVAL_S
        clock.advance(call_s - now_s)
        now_s = call_s
        there = [reading for uploaded_s, reading in waiting if uploaded_s <= call_s]
        waiting = [each for each in waiting if each[0] > call_s]
        upstream.store.save(FOLLOWED, there, clock.now())
        following.sync()
        polled_s += INTERVAL_S
    stored = following.stores.reading_store.between(
        FOLLOWER, NOON - timedelta(hours=1), NOON + timedelta(days=9)
    )
    return [each.stored_at - each.reading.at for each in stored]
