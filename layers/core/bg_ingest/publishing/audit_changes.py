"""
Audit entries for changes of stored readings: the action, its time and its actor, without values.

The changes come from the event bus, because a DynamoDB stream supports two readers, and both are publishers.
New readings have no entry here. The job that fetched them is their record, and an entry for each would add a
fourth write to every poll.

    change ──► stream ──► bus ──► queue ──► entry

An entry has the time of its change and an id made from the event's id, so a redelivery writes it once. If the
user was erased after the change, no entry is written, because it would outlive the erasure. An entry that is
written during an erasure is found by the second pass of the erasure, because the id contains the earlier
time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bg_ingest.access.audit import Audit, AuditEntry, AuditOutcome
from bg_ingest.clock import new_id
from bg_ingest.publishing.events import hash_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    ErasedSince = Callable[[str, datetime], bool]

# (event type, reason in the event) -> (actor, action).
_ACTIONS = {
    ("bg.readings.revised", None): ("ingestion", "readings revised"),
    ("bg.readings.removed", "duplicate"): ("ingestion", "readings removed as duplicates"),
    ("bg.readings.removed", "deleted"): ("ingestion", "readings removed: the provider deleted them"),
    ("bg.readings.removed", "expired"): ("retention", "readings expired"),
}


class AuditedChangeUnreadable(Exception):
    """The message is not a change that is audited. It ends in the dead-letter queue."""


@dataclass(frozen=True, slots=True)
class AuditedChange:
    """One change as the queue's message describes it, without values."""

    user_id: str
    event_id: str
    at: datetime
    actor: str
    action: str
    correlation_id: str

    @classmethod
    def from_message(cls, body: str) -> AuditedChange:
        """Parse a message that the bus put into the queue."""
        try:
            return _change(json.loads(body))
        except (ValueError, LookupError, TypeError, AttributeError):
            raise AuditedChangeUnreadable from None


def record(change: AuditedChange, *, audit: Audit, erased_since: ErasedSince) -> AuditEntry | None:
    """Write the audit entry of a change; None if the user was erased after the change."""
    if erased_since(change.user_id, change.at):
        return None
    entry_id = new_id(change.at, hash_id(change.event_id))
    entry = AuditEntry(
        change.user_id, entry_id, change.at, change.actor, change.action, change.correlation_id
    )
    return audit.save(entry, AuditOutcome.DONE)


def _change(event: Mapping[str, Any]) -> AuditedChange:
    actor, action = _ACTIONS[event["type"], event.get("reason") or None]
    return AuditedChange(
        user_id=event["user_id"],
        event_id=event["id"],
        at=datetime.fromisoformat(event["time"]),
        actor=actor,
        action=f"{action} ({int(event['count'])})",
        correlation_id=event.get("correlation_id") or "",
    )
