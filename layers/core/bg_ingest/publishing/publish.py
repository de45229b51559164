"""
Publisher: turns records of DynamoDB's streams into events, in order, at least once.

    what failed                            the record                  the records after it
    -------------------------------------  --------------------------  -------------------------------------
    the sink is down, or took only a part  is retried                  are retried; events that had arrived
                                                                       arrive again
    the record cannot be read              goes to the dead letters    are published: one record must not
                                                                       stop its shard for a day
    the sink refuses its event for good    goes to the dead letters    are published
    it cannot be put there                 is retried                  are retried

Lambda retries a shard from the first record that is reported as failed, so only that one is reported.
"""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from bg_ingest.access.audit import PARTITION_PREFIX as AUDIT
from bg_ingest.accounts.connection import SK as CONNECTION
from bg_ingest.dynamo import from_attributes
from bg_ingest.publishing.account_events import connection_events, job_events
from bg_ingest.publishing.audit_archive import audit_events
from bg_ingest.publishing.events import reading_events, removal_events
from bg_ingest.readings.stored.hour_items import HourUnreadable, cause_of, hour_from_item
from bg_ingest.readings.stored.stored_reading import Hour, hour_change

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bg_ingest.dynamo import Item
    from bg_ingest.publishing.events import Event

    StreamRecord = Mapping[str, Any]
    # Keeps the position of a record, the kind of error, and why it is there.
    DeadLetter = Callable[[StreamRecord, str, str], None]

_HOUR = re.compile(r"\d{4}-\d\d-\d\dT\d\d")
# The identity of DynamoDB itself, which removes expired items.
_TTL = ("Service", "dynamodb.amazonaws.com")


# Why a record is a dead letter.
RECORD_UNREADABLE = "RecordUnreadable"
EVENT_REFUSED = "EventRefused"


class RecordUnreadable(Exception):
    """A stream record cannot be read, now or later. Its text is the kind of error, without any value."""


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """An event that a sink will never accept: its position among the events, and the sink's code."""

    position: int
    code: str


@dataclass(frozen=True, slots=True)
class SinkResult:
    """
    The first `arrived` events have arrived, without those that were refused. Others may have arrived.

    `error` names why a sink stopped.
    """

    arrived: int
    error: str | None = None
    refused: tuple[RefusedEvent, ...] = ()  # Among the first `arrived` ones.


class Sink(Protocol):
    """The destination of events."""

    def publish(self, events: Sequence[Event]) -> SinkResult:
        """
        Deliver events in order until one fails. A sink that is down raises nothing.

        An event that no retry can deliver does not stop the others.
        """
        ...


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The result of a batch of stream records."""

    events: int
    dead_letters: int = 0
    retry_from: str | None = None  # The sequence number of the first record that has to be retried.
    error: str | None = None


def publish_records(records: Sequence[StreamRecord], *, sink: Sink, dead_letter: DeadLetter) -> BatchResult:
    """Publish the events of the records until the sink fails."""
    events: list[Event] = []
    sources: list[StreamRecord] = []  # The record of each event.
    dead_letters = 0
    for record in records:
        try:
            made = events_of(record)
        except RecordUnreadable as error:
            dead_letter(record, str(error), RECORD_UNREADABLE)
            dead_letters += 1
            continue
        events += made
        sources += [record] * len(made)
    result = sink.publish(events) if events else SinkResult(0)
    refused = {sequence_number(sources[one.position]): one for one in result.refused}
    for one in refused.values():
        dead_letter(sources[one.position], one.code, EVENT_REFUSED)
    arrived, dead_letters = result.arrived - len(result.refused), dead_letters + len(refused)
    if result.arrived == len(events):
        return BatchResult(arrived, dead_letters)
    return BatchResult(arrived, dead_letters, sequence_number(sources[result.arrived]), result.error)


def sequence_number(record: StreamRecord) -> str:
    """The position of a record in its shard."""
    number: str = record["dynamodb"]["SequenceNumber"]
    return number


def events_of(record: StreamRecord) -> list[Event]:
    """The events of one change of one item, in a fixed order. Many changes have none."""
    try:
        return _events_of(record)
    except (HourUnreadable, LookupError, ValueError, TypeError, AttributeError) as error:
        # Not "from error": the text of the error may contain a value.
        raise RecordUnreadable(type(error).__name__) from None


def _events_of(record: StreamRecord) -> list[Event]:
    change = record["dynamodb"]
    sk: str = change["Keys"]["sk"]["S"]
    before, after = _image(change.get("OldImage")), _image(change.get("NewImage"))
    at = datetime.fromtimestamp(int(change["ApproximateCreationDateTime"]), UTC)
    if change["Keys"]["pk"]["S"].startswith(AUDIT):
        return audit_events(after, at)
    if sk.partition("#")[0] == CONNECTION:
        return connection_events(before, after, at)
    if sk.startswith("job#"):
        return job_events(before, after, at)
    if _HOUR.fullmatch(sk) and after:
        return _changed_hour(before, after, at)
    if _HOUR.fullmatch(sk) and before and _is_expired(record):
        hour = hour_from_item(before)
        return removal_events(before["pk"], hour.start, hour.readings, "expired", at)
    # An erasure removes hours too. Its one event is the change of the connection.
    return []


def _changed_hour(before: Item | None, after: Item, at: datetime) -> list[Event]:
    now = hour_from_item(after)
    was = hour_from_item(before) if before else Hour(now.start)
    return reading_events(after["pk"], hour_change(was, now), cause=cause_of(after), removed_at=at)


def _is_expired(record: StreamRecord) -> bool:
    identity = record.get("userIdentity") or {}
    return (identity.get("type"), identity.get("principalId")) == _TTL


def _image(attributes: Mapping[str, Any] | None) -> Item | None:
    if not attributes:
        return None
    # Lambda hands bytes over as base64, where the SDK would have decoded them.
    decoded = {
        name: {"B": b64decode(value["B"])} if "B" in value else value for name, value in attributes.items()
    }
    return from_attributes(decoded)
