"""
CloudEvents 1.0: the envelope, the ids, and the events about readings.

An event id is made from the subject matter: the user, the hour, and each reading with the times at which it
was fetched and stored. So a redelivery, a second publisher and a later publication from the table give the
same id. Another version of a reading gives another id. The version number of the stored hour is not used,
because it starts at 1 again after an erasure. The table also does not keep it for each reading.

An id is a hash, because ids appear in logs of brokers and consumers, where no user should be recognisable.
For the same reason `subject` names the hour and not the user (CloudEvents 1.0.2, "Privacy and Security":
context attributes should carry nothing sensitive). The user and the values are in `data`.

Without a key, a reader of the events' envelopes could hash guessed user ids and find out which of them are
users. So every sink gets HMACs of the ids, which only this deployment can compute. Events of the audit name
persons and actors by HMACs, too.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from bg_ingest.clock import rfc_3339
from bg_ingest.facades.native.reading_text import as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bg_ingest.publishing.publish import Sink, SinkResult
    from bg_ingest.readings.stored.stored_reading import HourChange, Revision, StoredReading, Version


EventType = Literal[
    "bg.readings.stored",
    "bg.readings.revised",
    "bg.readings.removed",
    "bg.connection.changed",
    "bg.sync.failed",
    "bg.audit.recorded",
]
# The readings of an hour of a sensor that measures every minute.
READINGS_MAX = 60
# The readings of one event as JSON, so that an event stays under 64 KB. That is a quarter of the smallest
# limit of the systems it passes; docs/events.md names them. A reading with texts of full length has 13 KB.
READINGS_BYTES_MAX = 60_000
CONTENT_TYPE = "application/json"
_DIGITS = 32  # Of an id.


@dataclass(frozen=True, slots=True)
class Event:
    """One event. Its repr shows no user and no value."""

    event_id: str
    event_type: EventType
    subject: str
    time: datetime
    data: dict[str, Any] = field(repr=False)
    correlation_id: str | None = None
    keyed: tuple[str, ...] = ()  # Members of `data` that are published as pseudonyms.

    def envelope(self, source: str) -> dict[str, Any]:
        """The event as a JSON object, in CloudEvents' structured mode."""
        caused_by = {"correlationid": self.correlation_id} if self.correlation_id else {}
        return {
            "specversion": "1.0",
            "id": self.event_id,
            "source": source,
            "type": self.event_type,
            "subject": self.subject,
            "time": rfc_3339(self.time),
            "datacontenttype": CONTENT_TYPE,
            **caused_by,
            "data": self.data,
        }

    def as_text(self, source: str) -> str:
        """The same object as compact text."""
        return json.dumps(self.envelope(source), separators=(",", ":"), allow_nan=False)


def reading_events(
    user_id: str, change: HourChange, *, cause: str | None = None, removed_at: datetime | None = None
) -> list[Event]:
    """The events of one write of an hour. `removed_at` is the time of the write, if readings were removed."""
    events = [
        *_events("bg.readings.stored", user_id, change.start, map(_stored, change.stored), cause),
        *_events("bg.readings.revised", user_id, change.start, map(_revised, change.revised), cause),
    ]
    if change.removed:
        assert removed_at is not None  # noqa: S101 - a history removes nothing, so only a bug can break it.
        events += removal_events(user_id, change.start, change.removed, "duplicate", removed_at, cause)
    if change.deleted:
        assert removed_at is not None  # noqa: S101 - as above.
        events += removal_events(user_id, change.start, change.deleted, "deleted", removed_at, cause)
    return events


def removal_events(
    user_id: str,
    start: datetime,
    removed: Iterable[StoredReading],
    reason: Literal["duplicate", "expired", "deleted"],
    removed_at: datetime,
    cause: str | None = None,
) -> list[Event]:
    """Readings that are no longer served: expired, deleted, or now the copy of another reading."""
    items = [
        _EventItem([_identity(stored, stored.versions[-1])], removed_at, rfc_3339(stored.reading.at))
        for stored in removed
    ]
    return _events("bg.readings.removed", user_id, start, items, cause, member="timestamps", reason=reason)


def hash_id(*identity: Any) -> str:
    """A hash of the identity: the same id for the same identity, and no personal data in it."""
    text = json.dumps(identity, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


@dataclass(frozen=True, slots=True)
class _EventItem:
    """The part of an event that one reading contributes."""

    identity: list[Any]
    time: datetime
    value: Any


def _events(
    event_type: EventType,
    user_id: str,
    start: datetime,
    items: Iterable[_EventItem],
    cause: str | None,
    *,
    member: str = "readings",
    **more: Any,
) -> list[Event]:
    """One event for as many items as fit into it. The ids are one hash and a number."""
    items = list(items)
    hour = f"{start.astimezone(UTC):%Y-%m-%dT%H}"
    event_id = hash_id(event_type, user_id, hour, [item.identity for item in items])
    return [
        Event(
            f"{event_id}-{number}",
            event_type,
            f"hours/{hour}",
            max(item.time for item in group),
            {"user_id": user_id, "count": len(group), **more, member: [item.value for item in group]},
            cause,
        )
        for number, group in enumerate(_groups(items), start=1)
    ]


def _stored(stored: StoredReading) -> _EventItem:
    return _EventItem([_identity(stored, stored.versions[-1])], stored.stored_at, as_json(stored))


def _groups(items: Iterable[_EventItem]) -> Iterator[list[_EventItem]]:
    group: list[_EventItem] = []
    group_bytes = 0
    for item in items:
        item_bytes = len(json.dumps(item.value, separators=(",", ":"))) + 1  # And a comma.
        if group and (len(group) == READINGS_MAX or group_bytes + item_bytes > READINGS_BYTES_MAX):
            yield group
            group, group_bytes = [], 0
        group.append(item)
        group_bytes += item_bytes
    if group:
        yield group


def _revised(revision: Revision) -> _EventItem:
    now, added = revision.now, revision.added
    return _EventItem(
        [_identity(now, version) for version in added],
        max((version.stored_at for version in added), default=now.stored_at),
        as_json(now) | {"previous": as_json(revision.before)},
    )


def _identity(stored: StoredReading, version: Version) -> list[str]:
    return [_to_the_millisecond(at) for at in (stored.reading.at, version.fetched_at, version.stored_at)]


def _to_the_millisecond(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class KeyedSink:
    """A sink whose events have keyed ids; the same event has the same id in every sink of a deployment."""

    sink: Sink
    key: Callable[[], bytes]

    def publish(self, events: Sequence[Event]) -> SinkResult:
        """Deliver the events under their keyed ids."""
        key = self.key()
        return self.sink.publish([_keyed(key, event) for event in events])


def keyed_id(key: bytes, event_id: str) -> str:
    """The id under which an event is published; the number of the part stays readable."""
    number = event_id.rpartition("-")[2]
    return f"{_hmac(key, event_id)}-{number}"


def audit_pseudonym(key: bytes, name: str) -> str:
    """The name under which the audit's events and archive show a person or an actor."""
    return _hmac(key, f"audit {name}")


def _keyed(key: bytes, event: Event) -> Event:
    pseudonyms = {member: audit_pseudonym(key, event.data[member]) for member in event.keyed}
    return replace(event, event_id=keyed_id(key, event.event_id), data=event.data | pseudonyms)


def _hmac(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:_DIGITS]
