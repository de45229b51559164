"""EventBridge sink: puts events on a bus, up to ten per request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from bg_ingest.publishing.publish import RefusedEvent, SinkResult

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
# Codes of an entry, and of a request with one entry, that no retry changes. The others of the API's reference
# that are not retryable are about permissions: they refuse every event until an operator grants them.
ENTRY_REFUSALS = frozenset({"InvalidArgument", "MalformedDetail", "RedactionFailure", "ValidationException"})
REQUEST_REFUSALS = frozenset({"ValidationException", "RequestEntityTooLarge", "413"})
_ATTEMPTS_MAX = 4
_FIRST_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class _Put:
    """The positions of the entries that did not arrive, those that never will, and one error code."""

    missing: list[int]
    refused: dict[int, str]
    error: str | None = None


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
        refused: list[RefusedEvent] = []
        for batch in batches([self.entry(event) for event in events]):
            put = self._put(batch)
            until = min(put.missing, default=len(batch))
            refused += [RefusedEvent(arrived + at, code) for at, code in put.refused.items() if at < until]
            arrived += until
            if put.missing:
                return SinkResult(arrived, put.error, tuple(refused))
        return SinkResult(arrived, refused=tuple(refused))

    def _put(self, batch: Sequence[PutEventsRequestEntryTypeDef]) -> _Put:
        missing, refused, error_code = list(range(len(batch))), dict[int, str](), None
        for attempt in range(_ATTEMPTS_MAX):
            if attempt:
                self.clock.sleep(_FIRST_PAUSE_S * 2**attempt * self.jitter())
            try:
                answer = self.client.put_events(Entries=[batch[place] for place in missing])
            except (BotoCoreError, ClientError) as error:
                code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
                if code not in REQUEST_REFUSALS:
                    # The client itself has already retried.
                    return _Put(missing, refused, type(error).__name__)
                if len(missing) == 1:
                    return _Put([], refused | {missing[0]: code})
                return self._put_alone(batch, missing, refused)
            codes = dict(zip(missing, (entry.get("ErrorCode") for entry in answer["Entries"]), strict=True))
            refused |= {place: code for place, code in codes.items() if code in ENTRY_REFUSALS}
            missing = [place for place, code in codes.items() if code and code not in ENTRY_REFUSALS]
            error_code = next((codes[place] for place in missing), None)
            if not missing:
                break
        return _Put(missing, refused, error_code)

    def _put_alone(
        self, batch: Sequence[PutEventsRequestEntryTypeDef], places: Sequence[int], refused: dict[int, str]
    ) -> _Put:
        """Put the entries one by one, until one fails: one of them spoils the request."""
        for number, place in enumerate(places):
            put = self._put([batch[place]])
            refused = refused | dict.fromkeys([place] * len(put.refused), put.refused.get(0, ""))
            if put.missing:
                return _Put(list(places[number:]), refused, put.error)
        return _Put([], refused)

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
