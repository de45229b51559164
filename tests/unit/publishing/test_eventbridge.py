from __future__ import annotations

import json
from itertools import count, zip_longest
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.publishing.eventbridge import (
    ENTRIES_MAX,
    REQUEST_BYTES_MAX,
    EventBridgeSink,
    batches,
    size_bytes,
)
from bg_ingest.publishing.events import Event
from bg_ingest.publishing.publish import RefusedEvent
from tests.support.fakes import NOON, FakeClock
from tests.support.sinks import MemoryBus
from tests.unit.publishing.sample_changes import SOURCE

if TYPE_CHECKING:
    from collections.abc import Callable


def _events(many: int, size: int = 10) -> list[Event]:
    return [
        Event(f"{number:032x}-1", "bg.sync.failed", f"jobs/{number}", NOON, {"padding": "x" * size}, "c-1")
        for number in range(many)
    ]


def _sink(
    refuses: Callable[[dict[str, Any]], str | None] = lambda _: None, *, down: bool = False
) -> tuple[EventBridgeSink, MemoryBus, FakeClock]:
    client, bus = MemoryBus.client(refuses=refuses, down=down)
    clock = FakeClock()
    return EventBridgeSink(client, "the-bus", SOURCE, clock, lambda: 0.5), bus, clock


def test_an_entry_contains_the_cloudevent() -> None:
    """Type and source are repeated outside the detail, where rules match them."""
    sink, bus, _ = _sink()
    (event,) = _events(1)
    sink.publish([event])
    (entry,), (detail,) = bus.entries, bus.details

    assert (entry["Source"], entry["DetailType"]) == ("bg-ingest", "bg.sync.failed")
    assert (entry["EventBusName"], entry["Time"]) == ("the-bus", NOON)
    assert detail == event.envelope(SOURCE)


def test_a_request_has_at_most_ten_entries() -> None:
    """This is the limit of PutEvents."""
    sink, bus, _ = _sink()

    assert sink.publish(_events(25)).arrived == 25
    assert bus.requests == [10, 10, 5]
    assert [detail["subject"] for detail in bus.details] == [f"jobs/{number}" for number in range(25)]


def test_large_events_go_in_smaller_requests() -> None:
    """A request also has a limit of size."""
    sink, bus, _ = _sink()

    assert sink.publish(_events(5, size=100_000)).arrived == 5
    assert bus.requests == [2, 2, 1]


@given(st.lists(st.integers(0, 120_000), max_size=30))
def test_every_request_keeps_both_limits_and_the_order(sizes: list[int]) -> None:
    """No entry is left out, and no request has room for the next entry."""
    sink, _, _ = _sink()
    entries = [sink.entry(event) for size in sizes for event in _events(1, size)]
    sent = list(batches(entries))

    assert [entry for batch in sent for entry in batch] == entries
    for batch, following in zip_longest(sent, sent[1:]):
        total = sum(map(size_bytes, batch))
        assert len(batch) <= ENTRIES_MAX
        assert total <= REQUEST_BYTES_MAX
        if following:
            assert len(batch) == ENTRIES_MAX or total + size_bytes(following[0]) > REQUEST_BYTES_MAX


def test_only_refused_entries_are_sent_again() -> None:
    """PutEvents can refuse single entries of a request."""
    calls = count()
    sink, bus, clock = _sink(lambda _: "ThrottlingException" if next(calls) in {3, 7} else None)

    assert sink.publish(_events(10)).arrived == 10
    assert bus.requests == [10, 2]
    assert sorted(detail["id"] for detail in bus.details) == [event.event_id for event in _events(10)]
    assert clock.naps == [0.2]


def test_delivery_stops_at_an_entry_that_stays_refused() -> None:
    """After four attempts. Entries before it have arrived, and entries after it may have."""
    sink, bus, clock = _sink(lambda entry: "InternalFailure" if '"jobs/4"' in entry["Detail"] else None)
    delivery = sink.publish(_events(25))

    assert (delivery.arrived, delivery.error) == (4, "InternalFailure")
    assert bus.requests == [10, 1, 1, 1]
    assert len(bus.entries) == 9
    assert clock.naps == [0.2, 0.4, 0.8]


def test_a_bus_that_is_down_raises_nothing() -> None:
    """The result has no arrived events and the name of the error."""
    sink, _, _ = _sink(down=True)
    delivery = sink.publish(_events(3))

    assert (delivery.arrived, delivery.error) == (0, "ClientError")


def test_a_request_that_is_refused_is_tried_entry_by_entry() -> None:
    """One entry spoils its request: it is refused for good, and the nine others arrive."""
    client, bus = MemoryBus.client(spoils=lambda entry: "jobs/4" in entry["Detail"])
    clock = FakeClock()
    result = EventBridgeSink(client, "the-bus", SOURCE, clock, lambda: 0.5).publish(_events(10))

    assert (result.arrived, result.error) == (10, None)
    assert result.refused == (RefusedEvent(4, "ValidationException"),)
    assert [detail["subject"] for detail in bus.details] == [f"jobs/{n}" for n in range(10) if n != 4]
    assert clock.naps == []


def test_a_missing_permission_is_retried() -> None:
    """It concerns every event, and an operator can grant it: nothing is set aside."""
    sink, _, _ = _sink(lambda _: "NotAuthorizedForSourceException")
    result = sink.publish(_events(3))

    assert (result.arrived, result.error, result.refused) == (0, "NotAuthorizedForSourceException", ())


@given(st.lists(st.sampled_from([None, "MalformedDetail", "ThrottlingException"]), max_size=30))
def test_each_event_arrives_is_refused_or_is_retried(codes: list[str | None]) -> None:
    """No event before the retried ones is lost, and none of the refused ones is retried."""
    sink, bus, _ = _sink(
        lambda entry: codes[int(json.loads(entry["Detail"])["subject"].removeprefix("jobs/"))]
    )
    result = sink.publish(_events(len(codes)))
    retried = codes.index("ThrottlingException") if "ThrottlingException" in codes else len(codes)

    assert result.arrived == retried
    assert [one.position for one in result.refused] == [
        place for place, code in enumerate(codes[:retried]) if code
    ]
    arrived = {detail["subject"] for detail in bus.details}
    assert {f"jobs/{place}" for place, code in enumerate(codes[:retried]) if not code} <= arrived
