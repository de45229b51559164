"""A day of one user's readings, stored by the real reading store and published by the real publisher.

The publisher is killed between two events, its sink fails for a while, and a complete batch is delivered
again. Each stored or revised reading must be in exactly one event id. A repeated event must be equal, and
the order must be the stream's.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from bg_ingest.dynamo import Table
from bg_ingest.publishing.publish import SinkResult, events_of, publish_records
from bg_ingest.readings.store import ReadingStore
from tests.support.fakes import FakeClock
from tests.support.memory_stream import HandlerKilled, StreamingDynamo, deliver
from tests.unit.readings.made_up import realistic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bg_ingest.publishing.events import Event
    from bg_ingest.readings.model import Reading

DAY = datetime(2026, 11, 21, tzinfo=UTC)
POLL = timedelta(minutes=15)


@dataclass
class HostileSink:
    """A sink that crashes with its process, fails, and loses its answers."""

    chance: random.Random
    arrived: list[Event] = field(default_factory=list)

    def publish(self, events: Sequence[Event]) -> SinkResult:
        """Accept some of the events."""
        for place, event in enumerate(events):
            if self.chance.random() < 0.02:
                raise HandlerKilled
            if self.chance.random() < 0.02:
                return SinkResult(place, "SinkDown")
            self.arrived.append(event)
        if self.chance.random() < 0.05:
            raise HandlerKilled  # Every event arrived, but the answer was lost.
        return SinkResult(len(events))


def _a_day(chance: random.Random) -> tuple[StreamingDynamo, ReadingStore]:
    """Polls with an overlap, late data, and later revisions."""
    dynamo, clock = StreamingDynamo(), FakeClock(DAY)
    reading_store = ReadingStore(
        Table(cast("Any", dynamo), "readings"), clock, 730, lambda: f"poll-{clock.now():%H%M}"
    )
    measured, late = realistic(DAY, 24), set[datetime]()
    for reading in measured:
        if chance.random() < 0.1:
            late.add(reading.at)
    while clock.now() < DAY + timedelta(days=1, hours=2):
        clock.advance(POLL.total_seconds())
        now = clock.now()
        visible = [
            _changed(reading, chance)
            for reading in measured
            if now - timedelta(hours=2) <= reading.at + timedelta(hours=1) * (reading.at in late) < now
        ]
        reading_store.save("ada", visible, now)
    return dynamo, reading_store


def _changed(reading: Reading, chance: random.Random) -> Reading:
    return replace(reading, mg_dl=reading.mg_dl + 1) if chance.random() < 0.01 else reading


def _versions(events: Sequence[Event], event_type: str) -> Counter[tuple[str, int]]:
    return Counter(
        (reading["timestamp"], reading["revision"])
        for event in events
        if event.event_type == event_type
        for reading in event.data["readings"]
    )


@pytest.mark.parametrize("seed", range(3))
def test_every_reading_is_in_exactly_one_event_id(seed: int) -> None:
    """If each id is kept once, no reading is missing or duplicated after any crash."""
    chance = random.Random(seed)  # noqa: S311 - a schedule, not a secret.
    dynamo, reading_store = _a_day(chance)
    sink = HostileSink(chance)

    def publisher(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
        done = publish_records(records, sink=sink, dead_letter=lambda *_: None)
        return {"batchItemFailures": [{"itemIdentifier": done.retry_from}] if done.retry_from else []}

    deliver(dynamo.streams["readings"], publisher, batch_size=20)
    once = {event.event_id: event for event in sink.arrived}  # In the order of their first arrival.

    assert len(sink.arrived) > len(once), "nothing was repeated, so nothing was put to the test"
    assert all(event == once[event.event_id] for event in sink.arrived)
    assert list(once.values()) == [
        event for record in dynamo.streams["readings"] for event in events_of(record)
    ]
    stored = list(reading_store.between("ada", DAY, DAY + timedelta(days=2)))
    told, revised = (_versions([*once.values()], f"bg.readings.{what}") for what in ("stored", "revised"))
    assert told == Counter((f"{one.reading.at:%Y-%m-%dT%H:%M:%SZ}", 0) for one in stored)
    assert revised == Counter(
        (f"{one.reading.at:%Y-%m-%dT%H:%M:%SZ}", number)
        for one in stored
        for number in range(1, one.revision + 1)
    )
    assert revised.total() > 0
    assert all(event.correlation_id == f"poll-{event.time:%H%M}" for event in once.values())
