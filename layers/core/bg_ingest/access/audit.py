"""
The audit log: which caller did what to whose data, and when.

It holds every write, and every read by another caller than the user.

    write   entry "attempted" ── the action ── entry "done", "refused" or "failed" ── response
    read                         the action ── entry "done", "refused" or "failed" ── response

No data is written without an entry, since the entry is stored first. No data is shown without one, since
the response comes last: if the entry cannot be stored, the request fails. Only the second entry of a write
may fail, because the action is done and "attempted" stays true.

No write replaces an entry; it only completes one that is "attempted".

An entry holds no value: it names the route's pattern, never parameters or results. Entries have a partition
of their own, `audit#<user>`, so that the role of a function that only reads can be limited to adding to it.
No user id contains `#`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from bg_ingest.clock import new_id, rfc_3339, to_iso
from bg_ingest.dynamo import Change

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table

PARTITION_PREFIX = "audit#"
_UNKNOWN = "attribute_not_exists(pk)"
_REFUSALS_MAX = 10_000  # Refused callers that one process remembers.


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
    _refusals: dict[tuple[str, str, str], int] = field(default_factory=dict, repr=False, compare=False)

    def new_entry(self, user_id: str, *, actor: str, action: str, correlation_id: str) -> AuditEntry:
        """An entry with the current time, not stored yet."""
        now = self.clock.now()
        return AuditEntry(user_id, new_id(now), now, actor, action, correlation_id)

    def save(self, entry: AuditEntry, outcome: AuditOutcome = AuditOutcome.ATTEMPTED) -> AuditEntry:
        """Store an entry with its outcome; an entry that is stored stays as it is."""
        known = replace(entry, outcome=outcome)
        self.table.put(self._item(known), _UNKNOWN)
        return known

    def addition(self, entry: AuditEntry, outcome: AuditOutcome) -> Change:
        """The change that stores an entry with its outcome, for a transaction."""
        item = self._item(replace(entry, outcome=outcome))
        return Change(item["pk"], item["sk"], item=item, condition=_UNKNOWN)

    def _item(self, entry: AuditEntry) -> Item:
        return _to_item(entry, expires_at=entry.at + timedelta(days=self.kept_days))

    def complete(self, entry: AuditEntry, outcome: AuditOutcome) -> bool:
        """Store the outcome of an entry that is "attempted"; False if it has to stay so."""
        item = self._item(replace(entry, outcome=outcome))
        try:
            # Refused if the entry is complete, or was erased since.
            self.table.put(item, "outcome = :attempted", {":attempted": AuditOutcome.ATTEMPTED})
        except (BotoCoreError, ClientError):
            return False
        return True

    def refused_by_limit(self, user_id: str, *, actor: str, action: str, correlation_id: str) -> None:
        """
        Record that a rate limit refused this caller: once a minute, however often and by how many processes.

        The entry's id follows from minute, caller and action. So the processes of a minute store one entry,
        and each of them writes it once: a refusal costs less than what it refused.
        """
        key, minute = (user_id, actor, action), int(self.clock.now().timestamp()) // 60
        if self._refusals.get(key) == minute:
            return
        if len(self._refusals) >= _REFUSALS_MAX:
            self._refusals.clear()
        self._refusals[key] = minute
        at = datetime.fromtimestamp(minute * 60, UTC)
        entry_id = new_id(at, hashlib.sha256("\n".join(key).encode()).hexdigest())
        self.save(AuditEntry(user_id, entry_id, at, actor, action, correlation_id), AuditOutcome.REFUSED)

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
    return PARTITION_PREFIX + user_id


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
        user_id=item["pk"].removeprefix(PARTITION_PREFIX),
        entry_id=item["sk"],
        at=datetime.fromisoformat(item["recorded_at"]),
        actor=item["actor"],
        action=item["deed"],
        correlation_id=item["correlation_id"],
        outcome=AuditOutcome(item["outcome"]),
    )
