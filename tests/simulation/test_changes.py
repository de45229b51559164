"""Readers of the feed of changes, beside 32 writers of one user with crashes, throttling and clock steps.

The late log keeps a write of an old hour from being missed. Its breaks in breaks.py fail here. What a writer
announced and did not finish before its crash is shown a day later, since a reader cannot see a crash.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from bg_ingest.dynamo import Table
from bg_ingest.readings.changes.change_feed import ChangeFeed
from bg_ingest.readings.changes.late_log import LateLog, LateLogContended
from bg_ingest.readings.model import Reading
from bg_ingest.readings.saving import HourContended
from bg_ingest.readings.store import ReadingStore
from bg_ingest.readings.stored.stored_reading import LATE_AFTER
from tests.simulation.baton import Actor, Baton
from tests.simulation.cloud import SteppingDynamo
from tests.support.fakes import NOON, FakeClock
from tests.support.feed_reader import FeedReader, stored_copy
from tests.support.memory_dynamo import MemoryDynamo

if TYPE_CHECKING:
    from collections.abc import Callable

USER = "ada"
WRITERS = 32
READERS = 3
_ROUNDS = 2_500
CHUNK = 10
_SLOT = timedelta(minutes=5)
# The ages of what is written: of now, of yesterday, and of a history. The last two are announced.
_AGES_H = (2, 30, 60 * 24)


class ChangesWorld:
    """One seed's writers and readers."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - the sequence must be reproducible.
        self.clock = FakeClock()
        self.baton = Baton()
        memory = MemoryDynamo()
        self.dynamo = SteppingDynamo(memory, self.baton.step, self.random, lambda *_: None)
        self.store, self.feed = self._service(self.dynamo)
        self.calm_store, self.calm_feed = self._service(memory)
        self.readers = [FeedReader(USER) for _ in range(READERS)]
        self.most_writers = 0

    def _service(self, client: Any) -> tuple[ReadingStore, ChangeFeed]:
        users, readings = Table(cast("Any", client), "users"), Table(cast("Any", client), "readings")
        log = LateLog(users, self.clock)
        store = ReadingStore(readings, self.clock, 730, announce_late=log.announce)
        return store, ChangeFeed(store, log, self.clock)

    def rage(self) -> None:
        """Run with all faults."""
        self.dynamo.failure_rate = 0.02
        for _ in range(_ROUNDS):
            deeds = [self._move, self._write, self._follow, self._pass_time, self._mishap]
            self.random.choices(deeds, weights=[80, 8, 3, 2, 1])[0]()
        self.dynamo.failure_rate = 0.0
        self.baton.without_interruptions = True
        for actor in list(self.baton.alive):
            while not actor.over:
                self.baton.turn(actor)
        self.clock.advance(LATE_AFTER.total_seconds() + 60)

    def _move(self) -> None:
        if self.baton.alive:
            self.baton.turn(self.random.choice(self.baton.alive))

    def _write(self) -> None:
        writers = sum(actor.name == "writer" for actor in self.baton.alive)
        self.most_writers = max(self.most_writers, writers)
        if writers < WRITERS:
            self._start("writer", self._save)

    def _save(self) -> None:
        """A fetch of some readings, of which others can be stored with other values."""
        now = self.clock.now()
        oldest = self.random.choice(_AGES_H) * 12
        readings = [
            Reading(NOON - self.random.randrange(oldest) * _SLOT, self.random.randrange(60, 300))
            for _ in range(self.random.choice([1, 2, 12]))
        ]
        with suppress(ClientError, HourContended, LateLogContended):  # The message is delivered again.
            if self.random.random() < 0.1:
                self.store.remove_deleted(USER, readings, now)
            else:
                self.store.save(USER, readings, now)

    def _follow(self) -> None:
        """A reader asks for a page; one program makes one request at a time."""
        reader = self.random.choice(self.readers)
        name = f"reader {id(reader)}"
        if not any(actor.name == name for actor in self.baton.alive):
            limit = self.random.choice([3, 50, 2_000])
            self._start(name, lambda: self._read(reader, limit))

    def _read(self, reader: FeedReader, limit: int) -> None:
        with suppress(ClientError):  # The program reads the same page again.
            reader.read_page(self.feed, limit)

    def _pass_time(self) -> None:
        self.clock.advance(self.random.choice([1, 5, 60, 1_800]))

    def _mishap(self) -> None:
        if self.random.random() < 0.5:
            self.clock.set_back(self.random.choice([-20, 20]))
        elif self.baton.alive:
            self.random.choice(self.baton.alive).doomed = True

    def _start(self, name: str, run: Callable[[], None]) -> None:
        self.baton.start(Actor(name, run, 0.0))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a few seeds by default; a seed takes four times as long as one of the other simulation."""
    if "first" in metafunc.fixturenames:
        metafunc.parametrize("first", range(0, max(CHUNK, metafunc.config.getoption("--seeds") // 4), CHUNK))


@pytest.mark.large
def test_a_reader_ends_with_exactly_what_is_stored(first: int) -> None:
    """Readers that began at any time have every reading and no other, with its last value and revision."""
    assert max(_most_writers(seed) for seed in range(first, first + CHUNK)) >= WRITERS - 1


@pytest.mark.parametrize("seed", [162, 372, 943])
def test_a_write_between_two_pages_is_not_missed(seed: int) -> None:
    """Of a thousand seeds, these missed a write to an hour that left the watched window between two pages."""
    _most_writers(seed)


def _most_writers(seed: int) -> int:
    """Compare every reader's copy with what is stored, and return how many writers there were at once."""
    world = ChangesWorld(seed)
    world.rage()
    stored = stored_copy(world.calm_store, USER, NOON - timedelta(days=90), NOON + timedelta(days=9))
    assert len(stored) > 50
    for reader in (*world.readers, FeedReader(USER)):
        reader.catch_up(world.calm_feed)
        assert reader.copied == stored, f"seed {seed}"
    return world.most_writers
