from __future__ import annotations

from typing import Any

import pytest

from bg_ingest.dynamo import to_attributes
from bg_ingest.publishing.publish import SinkResult, publish_records
from tests.support.memory_stream import change_record
from tests.support.sinks import MemorySink
from tests.unit.publishing.test_account_events import JOB


def _failed_jobs(count: int, broken: frozenset[int] = frozenset()) -> list[dict[str, Any]]:
    """One event from each record, but for those nobody can read."""
    jobs = [JOB | {"sk": f"job#{number:028x}"} for number in range(count)]
    for number in broken:
        jobs[number].pop("failure")
    return [
        change_record(None, to_attributes(job), f"{number:021d}", table="users")
        for number, job in enumerate(jobs)
    ]


class _Aside(list[tuple[str, str]]):
    """Which records were set aside, and why."""

    def __call__(self, record: Any, kind: str) -> None:
        self.append((record["dynamodb"]["SequenceNumber"], kind))


def _subjects(sink: MemorySink) -> list[int]:
    return [int(event.subject.removeprefix("jobs/"), 16) for event in sink.arrived]


def test_everything_arrives_in_order() -> None:
    """As it happened."""
    sink = MemorySink()
    done = publish_records(_failed_jobs(5), sink=sink, set_aside=_Aside())

    assert _subjects(sink) == [0, 1, 2, 3, 4]
    assert (done.events, done.again_from, done.trouble) == (5, None, None)


def test_what_did_not_arrive_comes_again() -> None:
    """From the first record that is missing; Lambda goes on from there."""
    done = publish_records(_failed_jobs(5), sink=MemorySink(room=3), set_aside=_Aside())

    assert (done.events, done.again_from, done.trouble) == (3, f"{3:021d}", "SinkDown")


def test_when_nothing_arrives_everything_comes_again() -> None:
    """Nothing is taken for done."""
    done = publish_records(_failed_jobs(5), sink=MemorySink(room=0), set_aside=_Aside())

    assert (done.events, done.again_from, done.trouble) == (0, f"{0:021d}", "SinkDown")


def test_a_record_nobody_can_read_holds_up_no_other() -> None:
    """It is set aside, by its place in the stream, and the rest goes on."""
    sink, aside = MemorySink(), _Aside()
    done = publish_records(_failed_jobs(4, frozenset({0, 2})), sink=sink, set_aside=aside)

    assert aside == [(f"{0:021d}", "KeyError"), (f"{2:021d}", "KeyError")]
    assert _subjects(sink) == [1, 3]
    assert (done.events, done.set_aside, done.again_from) == (2, 2, None)


def test_a_record_that_cannot_be_set_aside_comes_again() -> None:
    """With everything after it: nothing may be lost because a queue is away."""

    def away(_record: Any, _kind: str) -> None:
        raise ConnectionError

    sink = MemorySink()
    with pytest.raises(ConnectionError):
        publish_records(_failed_jobs(2, frozenset({1})), sink=sink, set_aside=away)
    assert sink.arrived == []


def test_what_tells_nothing_asks_no_sink() -> None:
    """Most changes of connections are refreshed tokens; a broker that is down must not repeat them."""

    class Untouched:
        def publish(self, _: Any) -> SinkResult:
            raise AssertionError("there was nothing to publish")

    quiet = change_record(None, to_attributes({"pk": "ada", "sk": "sync"}), table="users")

    assert publish_records([quiet], sink=Untouched(), set_aside=_Aside()).events == 0
