"""Publishing again what the table knows about a person's hours, under the ids it was published with."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from bg_ingest.publishing.changes import history, hour_change
from bg_ingest.publishing.events import reading_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from bg_ingest.publishing.events import Event
    from bg_ingest.publishing.publish import Sink
    from bg_ingest.readings.merging.hour import Hour

# As long as a batch may take to be confirmed, and the answer.
_RESERVE_S = 10.0


@dataclass(frozen=True, slots=True)
class Republished:
    """How far it got; `again_from` is the hour to go on with, None when everything is told."""

    hours: int
    events: int
    again_from: datetime | None = None
    trouble: str | None = None


def events_of_hour(user_id: str, hour: Hour) -> Iterator[Event]:
    """Everything that was ever stored or revised in an hour, as events, oldest first."""
    for before, after in pairwise(history(hour)):
        yield from reading_events(user_id, hour_change(before, after))


def republish(
    user_id: str, hours: Iterator[Hour], *, sink: Sink, time_left_s: Callable[[], float]
) -> Republished:
    """Publish hour by hour, in order, as long as there is time and the sink takes them."""
    told = events = 0
    for hour in hours:
        if time_left_s() < _RESERVE_S:
            return Republished(told, events, hour.start)
        made = list(events_of_hour(user_id, hour))
        delivery = sink.publish(made)
        events += delivery.arrived
        if delivery.arrived < len(made):
            return Republished(told, events, hour.start, delivery.trouble)
        told += 1
    return Republished(told, events)
