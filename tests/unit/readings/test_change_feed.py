"""The feed of changes, over random histories of saves, clocks and readers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bg_ingest.dynamo import Table
from bg_ingest.readings.changes.change_feed import CURSOR_AGE_MAX, ChangeFeed
from bg_ingest.readings.changes.feed_cursor import (
    FeedCursor,
    FeedCursorInvalid,
    decode_feed_cursor,
    encode_feed_cursor,
)
from bg_ingest.readings.changes.late_log import LateLog
from bg_ingest.readings.model import Device, Reading
from bg_ingest.readings.store import FAR_AHEAD, ReadingStore
from bg_ingest.readings.stored.stored_reading import LONG_AGO
from tests.support.fakes import NOON, FakeClock
from tests.support.feed_reader import FeedReader, stored_copy
from tests.support.memory_dynamo import MemoryDynamo

USER = "ada"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class FeedWorld:
    """A store with its late log, and writers whose clocks differ from the reader's."""

    clock: FakeClock
    readings: Table
    late_log: LateLog

    @classmethod
    def empty(cls) -> FeedWorld:
        """Without readings."""
        memory, clock = MemoryDynamo.client(), FakeClock()
        return cls(clock, Table(memory, "readings"), LateLog(Table(memory, "users"), clock))

    @property
    def feed(self) -> ChangeFeed:
        """The feeds of changes."""
        return ChangeFeed(self.store(), self.late_log, self.clock)

    def store(self, clock_off: timedelta = timedelta(0)) -> ReadingStore:
        """The store as a writer with this clock has it."""
        clock = FakeClock(self.clock.now() + clock_off)
        return ReadingStore(self.readings, clock, 730, announce_late=self.late_log.announce)

    def save(self, *ages: timedelta, mg_dl: int = 110, clock_off: timedelta = timedelta(0)) -> None:
        """Store readings of these ages, fetched now."""
        records = [Reading((self.clock.now() - age).replace(second=0), mg_dl) for age in ages]
        self.store(clock_off).save(USER, records, self.clock.now())

    def is_copied_by(self, reader: FeedReader) -> bool:
        """Whether the reader's copy is what is stored."""
        return reader.copied == stored_copy(self.store(), USER, LONG_AGO, FAR_AHEAD)


hours_back = st.sampled_from([-30, -1, 0, 0, 0, 1, 2, 20, 23, 25, 40, 47, 49, 90, 900, 2_000])
ages = st.builds(lambda hours, minutes: hours * HOUR + minutes * 15 * MINUTE, hours_back, st.integers(0, 3))
steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("save"),
            st.lists(ages, min_size=1, max_size=5),
            st.sampled_from([100, 110, 120]),
            st.sampled_from([0, 0, 0, -1, 1, -23 * 60, 23 * 60]),
        ),
        st.tuples(st.just("read"), st.integers(0, 1), st.integers(1, 6)),
        st.tuples(st.just("wait"), st.sampled_from([1, 1, 300, 3_600, 90_000, 9_000_000])),
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=60)
@given(steps)
def test_readers_end_with_what_is_stored(history: list[Any]) -> None:
    """Two readers poll at any time in pages of any size, while writers with wrong clocks store any hours."""
    world = FeedWorld.empty()
    readers = FeedReader(USER), FeedReader(USER)
    for kind, *values in history:
        if kind == "save":
            given_ages, mg_dl, minutes_off = values
            world.save(*given_ages, mg_dl=mg_dl, clock_off=minutes_off * MINUTE)
        elif kind == "read":
            readers[values[0]].read_page(world.feed, values[1])
        else:
            world.clock.advance(values[0])
    for reader in (*readers, FeedReader(USER)):
        reader.catch_up(world.feed, 3)
        assert world.is_copied_by(reader)
        assert reader.catch_up(world.feed) == 0


def test_each_change_comes_once_in_order_of_storing() -> None:
    """A late reading, an early one and a revision come after what was stored before them."""
    world = FeedWorld.empty()
    reader = FeedReader(USER)
    world.save(*(n * 5 * MINUTE for n in range(2_000)))
    for n in range(40):
        world.clock.advance(300)
        world.save(0 * MINUTE, 15 * MINUTE if n % 2 else 40 * DAY, mg_dl=111 + n)
        if n % 7 == 0:
            reader.read_page(world.feed, 50)
    reader.catch_up(world.feed, 50)

    assert world.is_copied_by(reader)
    assert len(reader.received) == 2_000 + 40 + 40
    assert len({(change.stored.reading.at, change.stored.revision) for change in reader.received}) == 2_080
    assert all(one.changed_at <= other.changed_at for one, other in pairwise(reader.received))
    assert {change.kind for change in reader.received} == {"stored", "revised"}


def test_nothing_new_costs_one_short_read() -> None:
    """A reader with a history of 2,000 hours reads the hours of two days, and one entry of the late log."""
    world = FeedWorld.empty()
    world.save(*(n * HOUR for n in range(2_000)))
    reader = FeedReader(USER)
    reader.catch_up(world.feed)
    assert len(reader.text) < 200
    asked = []

    class Counting(MemoryDynamo):
        def query(self, **request: Any) -> dict[str, Any]:
            answer: dict[str, Any] = memory.query(**request)
            asked.append(len(answer["Items"]))
            return answer

    memory: Any = world.readings.client
    counting: Any = Counting()
    world.clock.advance(60)
    store = ReadingStore(Table(counting, "readings"), world.clock, 730)
    log = LateLog(Table(counting, "users"), world.clock)

    assert reader.catch_up(ChangeFeed(store, log, world.clock)) == 0
    assert sum(asked) <= 49 + 1


def test_a_save_that_has_not_written_yet_is_pending() -> None:
    """What its writer announced and wrote later is read then; what a dead writer wrote, after a day."""
    world = FeedWorld.empty()
    reader = FeedReader(USER)
    reader.catch_up(world.feed)
    hour = (NOON - 10 * DAY).replace(minute=0)
    world.late_log.announce(USER, {hour: 1, hour + HOUR: 1})
    store = ReadingStore(world.readings, world.clock, 730)
    assert reader.catch_up(world.feed) == 0
    store.save(USER, [Reading(hour, 110)], NOON)
    assert reader.catch_up(world.feed) == 0  # A part of it may still come.
    world.save(20 * DAY)
    assert reader.catch_up(world.feed) == 1  # It delays no other save.
    world.clock.advance(86_401)
    assert reader.catch_up(world.feed) == 1
    assert world.is_copied_by(reader)
    assert reader.catch_up(world.feed) == 0


def test_a_delayed_change_does_not_hide_a_later_one() -> None:
    """A writer dies between two old hours, another one revises the first of them, and a day passes."""
    world, reader = FeedWorld.empty(), FeedReader(USER)
    first = NOON - 3 * DAY
    world.late_log.announce(USER, {first: 1, first + 5 * HOUR: 1})
    ReadingStore(world.readings, world.clock, 730).save(USER, [Reading(first, 110)], NOON)
    world.clock.advance(600)
    world.save(world.clock.now() - first, mg_dl=120)
    reader.catch_up(world.feed)
    world.clock.advance(25 * 3_600)
    reader.catch_up(world.feed)

    assert [change.stored.reading.mg_dl for change in reader.received] == [120, 110, 120]
    assert world.is_copied_by(reader)


def test_a_write_of_an_hour_that_leaves_the_window_is_pending() -> None:
    """A reader watches the hour while it is announced; it is written when readers no longer watch it."""
    world, reader = FeedWorld.empty(), FeedReader(USER)
    oldest = NOON - 48 * HOUR
    reader.catch_up(world.feed)
    world.clock.advance(3_600)
    world.late_log.announce(USER, {oldest: 1})
    reader.catch_up(world.feed)
    ReadingStore(world.readings, world.clock, 730).save(USER, [Reading(oldest, 110)], NOON)
    reader.catch_up(world.feed)

    assert world.is_copied_by(reader)


def test_a_folded_reading_is_removed() -> None:
    """Phone and receiver were stored as two readings by a race; the copy is removed with its last content."""
    world = FeedWorld.empty()
    edge = NOON - 2 * HOUR
    phone = Device("g7", "iOS", "G7", "transmitter")
    receiver = Device("g7", "receiver", None, "transmitter")
    one = Reading(edge - timedelta(seconds=2), 110, device=phone, transmitter_ticks=7)
    other = Reading(edge + timedelta(seconds=3), 111, device=receiver, transmitter_ticks=7)
    apart = ReadingStore(Table(MemoryDynamo.client(), "readings"), world.clock, 730)
    apart.save(USER, [other], NOON)
    (item,) = apart.table.client.scan(TableName="readings")["Items"]
    world.store().save(USER, [one], NOON)
    world.readings.client.put_item(TableName="readings", Item=item)
    reader = FeedReader(USER)
    assert reader.catch_up(world.feed) == 2
    world.clock.advance(60)
    world.store().save(USER, [one], world.clock.now())

    assert reader.catch_up(world.feed) == 1
    assert world.is_copied_by(reader)
    removed = reader.received[-1]
    assert (removed.kind, removed.stored.reading.mg_dl) == ("removed", 111)
    assert removed.changed_at == world.clock.now()


def test_hours_of_the_first_release_are_read_once() -> None:
    """They do not say which write stored what, so a new reading in such an hour brings only itself."""
    world = FeedWorld.empty()
    world.save(3 * HOUR, 3 * HOUR - 5 * MINUTE)
    (item,) = world.readings.client.scan(TableName="readings")["Items"]
    world.readings.client.put_item(
        TableName="readings", Item={name: value for name, value in item.items() if name != "writes"}
    )
    reader = FeedReader(USER)
    assert reader.catch_up(world.feed) == 2
    world.clock.advance(60)
    world.save(3 * HOUR - 20 * MINUTE)

    assert reader.catch_up(world.feed) == 1
    assert world.is_copied_by(reader)


def test_an_old_writer_hides_no_change() -> None:
    """If a release without `writes` stores a reading, the reader gets the whole hour again."""
    world = FeedWorld.empty()
    world.save(3 * HOUR)
    reader = FeedReader(USER)
    reader.catch_up(world.feed)
    world.clock.advance(60)
    world.save(3 * HOUR - 4 * MINUTE)
    (item,) = world.readings.client.scan(TableName="readings")["Items"]
    world.readings.client.put_item(
        TableName="readings", Item={name: value for name, value in item.items() if name != "writes"}
    )

    assert reader.catch_up(world.feed) == 2
    assert world.is_copied_by(reader)


@pytest.mark.parametrize("days", [1, CURSOR_AGE_MAX.days - 1, CURSOR_AGE_MAX.days + 1, 400])
def test_a_reader_that_was_away_misses_nothing(days: int) -> None:
    """A cursor that is too old begins again."""
    world = FeedWorld.empty()
    reader = FeedReader(USER)
    world.save(5 * MINUTE, 40 * DAY)
    reader.catch_up(world.feed)
    for _ in range(days):
        world.clock.advance(86_400)
        world.save(5 * MINUTE)
    world.save(3 * DAY, 30 * DAY)
    reader.catch_up(world.feed, 50)

    assert world.is_copied_by(reader)


@pytest.mark.parametrize("history", [(5 * MINUTE,), (5 * MINUTE, 40 * DAY)])
def test_a_reader_follows_a_user_who_was_erased_and_came_back(history: tuple[timedelta, ...]) -> None:
    """Versions and numbers start again, and the reader with a cursor of before gets everything again."""
    world = FeedWorld.empty()
    reader = FeedReader(USER)
    for _ in range(3):
        world.save(*history)
        world.clock.advance(300)
    reader.catch_up(world.feed)
    for table in (world.readings, world.late_log.table):
        for item in table.client.scan(TableName=table.name)["Items"]:
            table.client.delete_item(TableName=table.name, Key={"pk": item["pk"], "sk": item["sk"]})
    reader.copied.clear()
    world.clock.advance(300)
    for _ in range(4):
        world.save(*history, 10 * MINUTE, mg_dl=120)
        world.clock.advance(300)
    reader.catch_up(world.feed)

    assert world.is_copied_by(reader)


@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda raw: raw.hex()))
def test_any_other_text_is_not_a_cursor(text: str) -> None:
    """It raises the one exception."""
    with pytest.raises(FeedCursorInvalid):
        decode_feed_cursor(text, USER)


def test_a_cursor_belongs_to_its_user() -> None:
    """Another user's cursor would hide changes."""
    text = encode_feed_cursor(FeedCursor(since_s=5), USER)

    assert decode_feed_cursor(text, USER) == FeedCursor(since_s=5)
    with pytest.raises(FeedCursorInvalid):
        decode_feed_cursor(text, "bob")
