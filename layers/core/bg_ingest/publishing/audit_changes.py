"""
Changes of stored readings, on record: what was revised or removed, when, by whom, and never the values.

It listens to the bus and not to the stream: a stream bears two readers, and those are the two publishers. New
readings are not recorded here; each is in the job that brought it, and an entry for each would be a fourth
write in every poll.

    change ──► stream ──► bus ──► queue ──► entry            an entry has the change's own time and an id made
                                                             from the event's, so a redelivery writes it again
    person erased meanwhile: no entry, since it would outlive the erasure. One that was written in the very
    moment is found by the erasure's second look, because its id bears a time from before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bg_ingest.access.audit import Audit, AuditEntry, AuditOutcome
from bg_ingest.publishing.events import hash_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    ErasedSince = Callable[[str, datetime], bool]

# By the type of event, and what it says is the reason: whose doing it was, and what was done.
_ACTIONS = {
    ("bg.readings.revised", None): ("ingestion", "readings revised"),
    ("bg.readings.removed", "duplicate"): ("ingestion", "readings removed as duplicates"),
    ("bg.readings.removed", "expired"): ("retention", "readings expired"),
}
_RANDOM_DIGITS = 16


class AuditedChangeUnreadable(Exception):
    """A message that is no change of ours; it ends among the dead."""


@dataclass(frozen=True, slots=True)
class AuditedChange:
    """What the queue says of one change: everything but the values."""

    user_id: str
    event_id: str
    at: datetime
    actor: str
    deed: str
    correlation_id: str

    @classmethod
    def from_message(cls, body: str) -> AuditedChange:
        """Read what the bus put into the queue."""
        try:
            return _change(json.loads(body))
        except (ValueError, LookupError, TypeError, AttributeError):
            raise AuditedChangeUnreadable from None


def record(change: AuditedChange, *, audit: Audit, erased_since: ErasedSince) -> AuditEntry | None:
    """Put a change on record; None for somebody who was erased after it."""
    if erased_since(change.user_id, change.at):
        return None
    made_ms = int(change.at.timestamp() * 1000)
    entry_id = f"{made_ms:012x}{hash_id(change.event_id)[:_RANDOM_DIGITS]}"
    entry = AuditEntry(change.user_id, entry_id, change.at, change.actor, change.deed, change.correlation_id)
    return audit.save(entry, AuditOutcome.DONE)


def _change(event: Mapping[str, Any]) -> AuditedChange:
    actor, deed = _ACTIONS[event["type"], event.get("reason") or None]
    return AuditedChange(
        user_id=event["user_id"],
        event_id=event["id"],
        at=datetime.fromisoformat(event["time"]),
        actor=actor,
        deed=f"{deed} ({int(event['count'])})",
        correlation_id=event.get("correlation_id") or "",
    )
