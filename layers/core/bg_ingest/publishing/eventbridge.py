"""EventBridge sink: puts events on a bus, up to ten per request."""

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

# Rules and consumers recognise the events of BG Ingest by this. The CloudEvent's own source is a URI.
SOURCE = "bg-ingest"
# The limit of PutEvents.
ENTRIES_MAX = 10
# PutEvents accepts 1 MB since January 2026, and accepted 256 KB before. Consumers behind the bus may still
# have the lower limit, and several of the largest events fit into it.
REQUEST_BYTES_MAX = 256_000
# See "Calculating PutEvents event entry size" in EventBridge's user guide.
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
        """Put the events on the bus, and retry entries that were refused."""
        arrived = 0
        for batch in batches([self.entry(event) for event in events]):
            missing, error = self._put(batch)
            if missing:
                return SinkResult(arrived + min(missing), error)
            arrived += len(batch)
        return SinkResult(arrived)

    def _put(self, batch: Sequence[PutEventsRequestEntryTypeDef]) -> tuple[list[int], str | None]:
        """The positions of the entries that did not arrive, and the error code of one of them."""
        missing, error_code = list(range(len(batch))), None
        for attempt in range(_ATTEMPTS_MAX):
            if attempt:
                self.clock.sleep(_FIRST_PAUSE_S * 2**attempt * self.jitter())
            try:
                answer = self.client.put_events(Entries=[batch[place] for place in missing])
            except (BotoCoreError, ClientError) as error:
                # botocore itself has already retried.
                return missing, type(error).__name__
            refused = [entry.get("ErrorCode") for entry in answer["Entries"]]
            error_code = next(filter(None, refused), None)
            missing = [place for place, code in zip(missing, refused, strict=True) if code]
            if not missing:
                break
        return missing, error_code

    def entry(self, event: Event) -> PutEventsRequestEntryTypeDef:
        """The event as an entry of PutEvents."""
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
    """The entries in their order, in as few requests as both limits allow."""
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
    """The size of an entry as EventBridge counts it."""
    return _TIME_BYTES + sum(len(entry[name].encode()) for name in ("Source", "DetailType", "Detail"))
