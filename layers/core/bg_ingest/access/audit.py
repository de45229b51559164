"""
The audit log: which caller did what to whose data, and when.

It holds every write, and every read by another caller than the user.

    write   entry "attempted" ── the action ── entry "done", "refused" or "failed" ── response
    read                         the action ── entry "done", "refused" or "failed" ── response

No data is written without an entry, since the entry is stored first. No data is shown without one, since
the response comes last: if the entry cannot be stored, the request fails. Only the second entry of a write
may fail, because the action is done and "attempted" stays true.

An entry holds no value: it names the route's pattern, never parameters or results. Entries have a partition
of their own, `audit#<user>`, so that the role of a function that only reads can be limited to adding to it.
No user id contains `#`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from bg_ingest import ids
from bg_ingest.utc import rfc_3339, to_iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table

_PARTITION_PREFIX = "audit#"


class AuditOutcome(StrEnum):
    """How an action ended, as far as is known."""

    ATTEMPTED = "attempted"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One action; its repr shows neither the user nor the actor."""

    user_id: str = field(repr=False)
    entry_id: str
    at: datetime
    actor: str = field(repr=False)
    action: str
    correlation_id: str
    outcome: AuditOutcome = AuditOutcome.ATTEMPTED

    def as_json(self) -> dict[str, Any]:
        """The form the API shows it in."""
        return {
            "at": rfc_3339(self.at),
            "actor": self.actor,
            "action": self.action,
            "outcome": self.outcome,
            "correlation_id": self.correlation_id,
        }


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit entries, in the users table."""

    table: Table
    clock: Clock
    kept_days: int

    def new_entry(self, user_id: str, *, actor: str, action: str, correlation_id: str) -> AuditEntry:
        """An entry with the current time, not stored yet."""
        now = self.clock.now()
        return AuditEntry(user_id, ids.new_id(now), now, actor, action, correlation_id)

    def save(self, entry: AuditEntry, outcome: AuditOutcome = AuditOutcome.ATTEMPTED) -> AuditEntry:
        """Store an entry with its outcome."""
        known = replace(entry, outcome=outcome)
        self.table.put(_to_item(known, expires_at=known.at + timedelta(days=self.kept_days)))
        return known

    def complete(self, entry: AuditEntry, outcome: AuditOutcome) -> bool:
        """Store the outcome of a stored entry; False if the entry has to stay "attempted"."""
        try:
            self.save(entry, outcome)
        except (BotoCoreError, ClientError):
            return False
        return True

    def newest_first(self, user_id: str, before: str | None = None) -> Iterator[AuditEntry]:
        """A user's entries from the newest back, or from the one before the entry `before`."""
        items = self.table.query(
            "pk = :pk AND sk < :before",
            {":pk": partition(user_id), ":before": before or "g"},  # "g" sorts after all hexadecimal digits.
            descending=True,
        )
        now_s = self.clock.now().timestamp()
        return (_from_item(item) for item in items if item["expires_at"] > now_s)


def partition(user_id: str) -> str:
    """The partition key of one user's entries."""
    return _PARTITION_PREFIX + user_id


def _to_item(entry: AuditEntry, expires_at: datetime) -> Item:
    return {
        "pk": partition(entry.user_id),
        "sk": entry.entry_id,
        "recorded_at": to_iso(entry.at),
        "actor": entry.actor,
        "deed": entry.action,  # DynamoDB reserves the word "action".
        "outcome": entry.outcome,
        "correlation_id": entry.correlation_id,
        "expires_at": int(expires_at.timestamp()),
    }


def _from_item(item: Item) -> AuditEntry:
    return AuditEntry(
        user_id=item["pk"].removeprefix(_PARTITION_PREFIX),
        entry_id=item["sk"],
        at=datetime.fromisoformat(item["recorded_at"]),
        actor=item["actor"],
        action=item["deed"],
        correlation_id=item["correlation_id"],
        outcome=AuditOutcome(item["outcome"]),
    )
