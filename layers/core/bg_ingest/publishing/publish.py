"""
Publishing a batch of stream records: in order, at least once, and none lost.

    what went wrong                          the record            those after it
    ---------------------------------------  --------------------  ------------------------------------------
    the sink is down, or takes only a part   comes again           come again; what already arrived is doubled
    the record makes no sense to us          is set aside at once  go on: a shard must not stand still
                                                                   for a day because of one record
    it cannot be set aside either            comes again           come again

Lambda shows a shard's records again from the first one that is reported, so one place is all we answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from bg_ingest.publishing.stream import RecordUnreadable, events_of, sequence_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bg_ingest.publishing.events import Event

    Record = Mapping[str, Any]
    SetAside = Callable[[Record, str], None]  # Keeps where a record stands, and the kind of error.


@dataclass(frozen=True, slots=True)
class SinkResult:
    """How many events have surely arrived, counted from the first; the others may have. And the trouble."""

    arrived: int
    trouble: str | None = None


class Sink(Protocol):
    """Where events go."""

    def publish(self, events: Sequence[Event]) -> SinkResult:
        """Deliver them in order, as far as it goes; a sink that is down is an answer, not an exception."""
        ...


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of a batch."""

    events: int
    set_aside: int = 0
    again_from: str | None = None  # The sequence number of the first record that has to come again.
    trouble: str | None = None


def publish_records(records: Sequence[Record], *, sink: Sink, set_aside: SetAside) -> BatchResult:
    """Publish what the records tell, as far as the sink takes it."""
    events: list[Event] = []
    owners: list[int] = []
    unreadable = 0
    for place, record in enumerate(records):
        try:
            made = events_of(record)
        except RecordUnreadable as error:
            set_aside(record, str(error))
            unreadable += 1
            continue
        events += made
        owners += [place] * len(made)
    delivery = sink.publish(events) if events else SinkResult(0)
    if delivery.arrived == len(events):
        return BatchResult(len(events), unreadable)
    stuck = records[owners[delivery.arrived]]
    return BatchResult(delivery.arrived, unreadable, sequence_number(stuck), delivery.trouble)
