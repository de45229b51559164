"""
Who did what to whose data and when: every write, and every read by someone other than the user.

    write   entry "attempted" ── the deed ── entry "done", "refused" or "failed" ── answer
    read                         the deed ── entry "done", "refused" or "failed" ── answer

Nothing is written without an entry, since the entry comes first, and nothing is shown without one, since the
answer comes last: an entry that cannot be stored fails the request. Only the second entry of a write is
allowed to fail, because the deed is done and "attempted" stays true.

An entry holds no value: the route's pattern, never what was asked for or answered. The entries have a
partition of their own, `audit#<user>`, so that a function which only reads people's data can be allowed to
add to it, and to nothing else. No user id contains `#`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table


_PARTITION_PREFIX = "audit#"


class AuditOutcome(StrEnum):
    """What became of a deed, as far as is known."""

    ATTEMPTED = "attempted"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One deed; its repr names nobody."""

    user_id: str = field(repr=False)
    entry_id: str
    at: datetime
    actor: str = field(repr=False)
    action: str
    correlation_id: str
    outcome: AuditOutcome = AuditOutcome.ATTEMPTED


@dataclass(frozen=True, slots=True)
class Audit:
    """Everybody's entries, in the users table."""

    table: Table
    clock: Clock
    kept_days: int

    def entry(self, user_id: str, *, actor: str, action: str, correlation_id: str) -> AuditEntry:
        """An entry about now, not stored yet."""
        now = self.clock.now()
        # It sorts by time: twelve hexadecimal digits of milliseconds, then randomness.
        entry_id = f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(8)}"
        return AuditEntry(user_id, entry_id, now, actor, action, correlation_id)

    def keep(self, entry: AuditEntry, outcome: AuditOutcome = AuditOutcome.ATTEMPTED) -> AuditEntry:
        """Store an entry, with what became of it."""
        known = replace(entry, outcome=outcome)
        self.table.put(_to_item(known, expires_at=known.at + timedelta(days=self.kept_days)))
        return known

    def complete(self, entry: AuditEntry, outcome: AuditOutcome) -> bool:
        """Say what became of a stored entry; False if it has to stay "attempted"."""
        try:
            self.keep(entry, outcome)
        except (BotoCoreError, ClientError):
            return False
        return True

    def newest_first(self, user_id: str, before: str | None = None) -> Iterator[AuditEntry]:
        """A user's entries from the newest back, or from the one before `before`."""
        items = self.table.query(
            "pk = :pk AND sk < :before",
            {":pk": partition(user_id), ":before": before or "g"},  # "g" stands after all hexadecimal digits.
            descending=True,
        )
        now_s = self.clock.now().timestamp()
        return (_from_item(item) for item in items if item["expires_at"] > now_s)


def partition(user_id: str) -> str:
    """The key of everything recorded about one user."""
    return _PARTITION_PREFIX + user_id


def _to_item(entry: AuditEntry, expires_at: datetime) -> Item:
    return {
        "pk": partition(entry.user_id),
        "sk": entry.entry_id,
        "recorded_at": entry.at.astimezone(UTC).isoformat(),
        "actor": entry.actor,
        "deed": entry.action,
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


# An audit entry in the form the API shows it.
def entry_as_json(entry: AuditEntry) -> dict[str, Any]:
    """One entry."""
    return {
        "at": entry.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "actor": entry.actor,
        "action": entry.action,
        "outcome": entry.outcome,
        "correlation_id": entry.correlation_id,
    }
