from __future__ import annotations

from typing import Any

import pytest

from bg_ingest.dynamo import Table, to_attributes
from bg_ingest.publishing.eventbridge import EventBridgeSink
from bg_ingest.publishing.publish import RecordUnreadable, SinkResult, events_of, publish_records
from bg_ingest.readings.store import ReadingStore
from tests.support.fakes import FakeClock
from tests.support.memory_stream import TTL, StreamingDynamo, change_record
from tests.support.sinks import MemoryBus, MemorySink
from tests.unit.publishing.test_account_events import CONNECTION, JOB
from tests.unit.readings.made_up import LATER, at, measured

CAUSES = ["0196f3a1-2c5d-4e6f-8a9b-0c1d2e3f4a5b", "ticket-4711", "4BF92F35-77B3-4DA6-A3CE-929D0E0E4736", None]


def _hour(cause: str | None = None) -> dict[str, Any]:
    """The item of an hour as the reading store writes it."""
    dynamo = StreamingDynamo()
    reading_store = ReadingStore(Table(dynamo, "readings"), FakeClock(LATER), 730, lambda: cause)  # type: ignore[arg-type]  # It has the methods that are called.
    reading_store.save("ada", [measured(at(1)), measured(at(6), 120)], LATER)
    ((_, item),) = dynamo.tables["readings"].items()
    return item


def _failed_jobs(count: int, broken: frozenset[int] = frozenset()) -> list[dict[str, Any]]:
    """Records of jobs that failed, each with one event. The broken ones cannot be read."""
    jobs = [JOB | {"sk": f"job#{number:028x}"} for number in range(count)]
    for number in broken:
        jobs[number].pop("failure")
    return [
        change_record(None, to_attributes(job), f"{number:021d}", table="users")
        for number, job in enumerate(jobs)
    ]


class _DeadLetters(list[tuple[str, str, str]]):
    """The sequence numbers of dead letters, their kinds of error, and why they are there."""

    def __call__(self, record: Any, kind: str, condition: str) -> None:
        self.append((record["dynamodb"]["SequenceNumber"], kind, condition))


def _subjects(sink: MemorySink) -> list[int]:
    return [int(event.subject.removeprefix("jobs/"), 16) for event in sink.arrived]


def test_all_events_arrive_in_the_order_of_their_records() -> None:
    """If the sink takes all events, no record is retried."""
    sink = MemorySink()
    done = publish_records(_failed_jobs(5), sink=sink, dead_letter=_DeadLetters())

    assert _subjects(sink) == [0, 1, 2, 3, 4]
    assert (done.events, done.retry_from, done.error) == (5, None, None)


def test_a_batch_is_retried_from_the_first_failed_record() -> None:
    """Lambda continues from the sequence number of the first event that did not arrive."""
    done = publish_records(_failed_jobs(5), sink=MemorySink(room=3), dead_letter=_DeadLetters())

    assert (done.events, done.retry_from, done.error) == (3, f"{3:021d}", "SinkDown")


def test_a_sink_that_is_down_retries_the_whole_batch() -> None:
    """If no event arrives, the first record is reported as failed."""
    done = publish_records(_failed_jobs(5), sink=MemorySink(room=0), dead_letter=_DeadLetters())

    assert (done.events, done.retry_from, done.error) == (0, f"{0:021d}", "SinkDown")


@pytest.mark.parametrize("code", ["ValidationException", "MalformedDetail", "InvalidArgument"])
def test_a_refused_event_does_not_stop_the_others(code: str) -> None:
    """One event of a hundred that the bus will never accept is set aside at once."""
    client, bus = MemoryBus.client(
        refuses=lambda entry: code if "jobs/" + f"{50:028x}" in entry["Detail"] else None
    )
    sink, dead_letters = EventBridgeSink(client, "bus", "source", FakeClock(), lambda: 0.5), _DeadLetters()
    done = publish_records(_failed_jobs(100), sink=sink, dead_letter=dead_letters)

    assert dead_letters == [(f"{50:021d}", code, "EventRefused")]
    assert len(bus.entries) == done.events == 99
    assert (done.dead_letters, done.retry_from, done.error) == (1, None, None)


def test_an_unreadable_record_becomes_a_dead_letter() -> None:
    """Its position and kind of error are kept, and the other records are published."""
    sink, dead_letters = MemorySink(), _DeadLetters()
    done = publish_records(_failed_jobs(4, frozenset({0, 2})), sink=sink, dead_letter=dead_letters)

    assert dead_letters == [(f"{n:021d}", "KeyError", "RecordUnreadable") for n in (0, 2)]
    assert _subjects(sink) == [1, 3]
    assert (done.events, done.dead_letters, done.retry_from) == (2, 2, None)


def test_a_failed_dead_letter_queue_fails_the_batch() -> None:
    """Lambda retries all records, so none is lost while the queue is unavailable."""

    def unavailable(_record: Any, _kind: str, _condition: str) -> None:
        raise ConnectionError

    sink = MemorySink()
    with pytest.raises(ConnectionError):
        publish_records(_failed_jobs(2, frozenset({1})), sink=sink, dead_letter=unavailable)
    assert sink.arrived == []


def test_records_without_events_do_not_call_the_sink() -> None:
    """Most changes of connections are token refreshes, which must not be retried because a broker is down."""

    class Untouched:
        def publish(self, _: Any) -> SinkResult:
            raise AssertionError("there was nothing to publish")

    quiet = change_record(None, to_attributes({"pk": "ada", "sk": "sync"}), table="users")

    assert publish_records([quiet], sink=Untouched(), dead_letter=_DeadLetters()).events == 0


@pytest.mark.parametrize("cause", CAUSES)
def test_an_event_has_the_correlation_id_of_its_write(cause: str | None) -> None:
    """The id comes back letter for letter. A UUID takes sixteen bytes of the item."""
    item = _hour(cause)
    (event,) = events_of(change_record(None, item))

    assert event.correlation_id == cause
    if cause == CAUSES[0]:
        assert len(item["by"]["B"]) == 16


def test_an_expired_hour_publishes_instants_without_values() -> None:
    """A consumer can remove its copies, and no value is published after it has expired."""
    (event,) = events_of(change_record(_hour(), None, by=TTL))

    assert event.event_type == "bg.readings.removed"
    assert event.data == {
        "user_id": "ada",
        "count": 2,
        "reason": "expired",
        "timestamps": ["2026-11-21T05:01:00Z", "2026-11-21T05:06:00Z"],
    }


def test_an_erased_hour_has_no_event() -> None:
    """The event about the connection stands for all hours of the user."""
    assert events_of(change_record(_hour(), None)) == []


def test_sealed_tokens_are_read_and_not_published() -> None:
    """A stream record holds bytes as base64. They do not appear in the event."""
    (event,) = events_of(change_record(None, to_attributes(CONNECTION), table="users"))

    assert event.data["state"] == "connected"
    assert "clear" not in event.as_text("s")


def test_a_failed_job_has_an_event() -> None:
    """Jobs come from the stream of the users table."""
    (event,) = events_of(change_record(None, to_attributes(JOB), table="users"))

    assert event.event_type == "bg.sync.failed"


@pytest.mark.parametrize("sk", ["sync", "day#2026-11-21", "quarantine#1", "receipt#1", "login#1", "inbox#1"])
def test_other_items_have_no_event(sk: str) -> None:
    """Also if the filter in the template let their records through."""
    item = to_attributes({"pk": "ada", "sk": sk})

    assert events_of(change_record(None, item, table="users")) == []


@pytest.mark.parametrize(
    "readings", ["", "[]", '{"format": 99}', '{"format": 1, "at": [1], "mg_dl": "a"}', None]
)
def test_an_unreadable_hour_is_reported_without_a_value(readings: str | None) -> None:
    """The exception names the kind of error only."""
    item = _hour() | {"readings": {"S": readings}}
    if readings is None:
        item.pop("readings")

    with pytest.raises(RecordUnreadable) as unreadable:
        events_of(change_record(None, item))
    assert str(unreadable.value) in {"HourUnreadable", "KeyError"}
