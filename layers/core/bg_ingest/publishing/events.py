"""
CloudEvents 1.0: the envelope, the ids, and the events about readings.

Ids are made from what an event is about: person, hour, and the readings with the times they were fetched and
stored. A redelivery, a second publisher and a publication from the table all come to the same id; another
version comes to another. The hour's own version number would not do: after an erasure it begins at 1 again,
and the table no longer knows which number a reading came with.

An id is a hash, because ids end up where nobody expects a person: brokers' logs, consumers' lists of ids.
For the same reason `subject` names the hour and not the person (CloudEvents 1.0.2, "Privacy and
Security": context attributes should carry nothing sensitive). Who it is about is in `data`, with the values.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from bg_ingest.facades.native.reading_text import as_json, rfc_3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bg_ingest.publishing.changes import HourChange
    from bg_ingest.readings.stored_reading import StoredReading, Version

EventType = Literal[
    "bg.readings.stored",
    "bg.readings.revised",
    "bg.readings.removed",
    "bg.connection.changed",
    "bg.sync.failed",
]
# An hour of a sensor that measures every minute. So an event stays under 64 KB, a quarter of what any of the
# systems on its way takes; a test renders the largest.
READINGS_MAX = 60
CONTENT_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Event:
    """One event; its repr names nobody and shows no value."""

    event_id: str
    event_type: EventType
    subject: str
    time: datetime
    data: dict[str, Any] = field(repr=False)
    correlation_id: str | None = None

    def envelope(self, source: str) -> dict[str, Any]:
        """The event as JSON, in CloudEvents' structured mode."""
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
        """The same as compact text."""
        return json.dumps(self.envelope(source), separators=(",", ":"), allow_nan=False)


def reading_events(
    user_id: str, change: HourChange, *, cause: str | None = None, removed_at: datetime | None = None
) -> list[Event]:
    """The events of one write of an hour; `removed_at` is the time of the write, where readings are gone."""
    about = _About(user_id, change.start, cause)
    events = [
        *about.parts("bg.readings.stored", [_stored(stored) for stored in change.stored]),
        *about.parts(
            "bg.readings.revised",
            [
                _Part(
                    [_identity(revision.now, version) for version in revision.added],
                    max((version.stored_at for version in revision.added), default=revision.now.stored_at),
                    as_json(revision.now) | {"previous": as_json(revision.before)},
                )
                for revision in change.revised
            ],
        ),
    ]
    if change.gone:
        assert removed_at is not None  # noqa: S101 - only a bug could break it: a history takes nothing away.
        events += removal_events(user_id, change.start, change.gone, "duplicate", removed_at, cause)
    return events


def removal_events(
    user_id: str,
    start: datetime,
    gone: Iterable[StoredReading],
    reason: Literal["duplicate", "expired"],
    removed_at: datetime,
    cause: str | None = None,
) -> list[Event]:
    """Readings that are served no more: their time is over, or they are another reading's copy."""
    parts = [
        _Part(
            [_identity(stored, stored.versions[-1])],
            removed_at,
            rfc_3339(stored.reading.at),
        )
        for stored in gone
    ]
    return _About(user_id, start, cause).parts(
        "bg.readings.removed", parts, member="timestamps", reason=reason
    )


def hash_id(*identity: Any) -> str:
    """The same for the same, and nobody's name in it."""
    text = json.dumps(identity, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class _Part:
    """One reading's share of an event."""

    identity: list[Any]
    time: datetime
    shown: Any


@dataclass(frozen=True, slots=True)
class _About:
    """What the events of one write have in common."""

    user_id: str
    start: datetime
    cause: str | None

    def parts(
        self, event_type: EventType, parts: Sequence[_Part], member: str = "readings", **more: Any
    ) -> list[Event]:
        if not parts:
            return []
        hour = self.start.astimezone(UTC).strftime("%Y-%m-%dT%H")
        event_id = hash_id(event_type, self.user_id, hour, [part.identity for part in parts])
        return [
            Event(
                f"{event_id}-{number}",
                event_type,
                f"hours/{hour}",
                max(part.time for part in some),
                {"user_id": self.user_id, "count": len(some), **more, member: [part.shown for part in some]},
                self.cause,
            )
            for number, some in enumerate(_in_groups(parts), start=1)
        ]


def _stored(stored: StoredReading) -> _Part:
    return _Part([_identity(stored, stored.versions[-1])], stored.stored_at, as_json(stored))


def _identity(stored: StoredReading, version: Version) -> list[str]:
    return [_instant(stored.reading.at), _instant(version.fetched_at), _instant(version.stored_at)]


def _instant(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds")


def _in_groups(parts: Sequence[_Part]) -> Iterator[Sequence[_Part]]:
    return (parts[start : start + READINGS_MAX] for start in range(0, len(parts), READINGS_MAX))
