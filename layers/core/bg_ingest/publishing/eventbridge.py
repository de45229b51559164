"""An EventBridge bus as a sink."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from bg_ingest.publishing.publish import SinkResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

    from bg_ingest.clock import Clock
    from bg_ingest.publishing.events import Event

# How rules and consumers recognise where an event is from; the CloudEvent's own source is a URI.
SOURCE = "bg-ingest"
# PutEvents' own limit.
ENTRIES_MAX = 10
# A request holds 1 MB since January 2026, and held 256 KB before. Several of the largest events fit into the
# smaller one, so there is nothing to gain from the larger, and consumers behind the bus may have the smaller.
REQUEST_BYTES_MAX = 256_000
# "Calculating PutEvents event entry size" in EventBridge's user guide.
_TIME_BYTES = 14
_ATTEMPTS_MAX = 4
_FIRST_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class EventBridgeSink:
    """One bus."""

    client: EventBridgeClient
    bus_name: str
    source: str
    clock: Clock
    jitter: Callable[[], float]

    def publish(self, events: Sequence[Event]) -> SinkResult:
        """Put them on the bus, ten at a time; what is refused is put again a few times."""
        arrived = 0
        for batch in batches([self.entry(event) for event in events]):
            missing, trouble = self._put(batch)
            if missing:
                return SinkResult(arrived + min(missing), trouble)
            arrived += len(batch)
        return SinkResult(arrived)

    def _put(self, batch: Sequence[PutEventsRequestEntryTypeDef]) -> tuple[list[int], str | None]:
        """The places of those that did not get through, and why not."""
        missing, trouble = list(range(len(batch))), None
        for attempt in range(_ATTEMPTS_MAX):
            if attempt:
                self.clock.sleep(_FIRST_PAUSE_S * 2**attempt * self.jitter())
            try:
                answer = self.client.put_events(Entries=[batch[place] for place in missing])
            except (BotoCoreError, ClientError) as error:
                # botocore itself has tried again by now.
                return missing, type(error).__name__
            refused = [entry.get("ErrorCode") for entry in answer["Entries"]]
            trouble = next(filter(None, refused), None)
            missing = [place for place, code in zip(missing, refused, strict=True) if code]
            if not missing:
                break
        return missing, trouble

    def entry(self, event: Event) -> PutEventsRequestEntryTypeDef:
        """The event as PutEvents takes it."""
        return {
            "Source": SOURCE,
            "DetailType": event.event_type,
            "Detail": event.as_text(self.source),
            "Time": event.time,
            "EventBusName": self.bus_name,
        }


def batches(
    entries: Sequence[PutEventsRequestEntryTypeDef],
) -> Iterator[list[PutEventsRequestEntryTypeDef]]:
    """The entries in their order, as few requests as the two limits allow."""
    batch: list[PutEventsRequestEntryTypeDef] = []
    batch_bytes = 0
    for entry in entries:
        entry_bytes = size_bytes(entry)
        if batch and (len(batch) == ENTRIES_MAX or batch_bytes + entry_bytes > REQUEST_BYTES_MAX):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(entry)
        batch_bytes += entry_bytes
    if batch:
        yield batch


def size_bytes(entry: Any) -> int:
    """What EventBridge counts."""
    return _TIME_BYTES + sum(len(entry[name].encode()) for name in ("Source", "DetailType", "Detail"))
