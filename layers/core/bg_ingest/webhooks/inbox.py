"""
Received webhooks by id, so that a sender's repetition does nothing.

    claimed                          accepted
    |--- PENDING: for this job -------|--- ACCEPTED: its order is in the queue ---> expires after KEPT
         after a crash the next delivery   a delivery is a duplicate
         continues, under the same job
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table

PREFIX = "inbox#"
# Twice as long as a sender retries by the schedule of Standard Webhooks (75 hours).
KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Claim:
    """What is stored of one webhook; `ours` if this call stored it."""

    job_id: str
    correlation_id: str
    claimed_at: datetime
    accepted: bool = False
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Inbox:
    """The inbox items, in the intake table."""

    table: Table
    clock: Clock

    def find(self, user_id: str, webhook_id: str) -> Claim | None:
        """The claim of a webhook that was received before."""
        item = self.table.get(user_id, PREFIX + webhook_id)
        if item is None or item["expires_at"] <= self.clock.now().timestamp():
            return None
        return _from_item(item, ours=False)

    def claim(self, user_id: str, webhook_id: str, job_id: str, correlation_id: str) -> Claim:
        """Claim a webhook for this job, unless it is claimed; of concurrent calls one succeeds."""
        now = self.clock.now()
        item: Item = {
            "pk": user_id,
            "sk": PREFIX + webhook_id,
            "job_id": job_id,
            "correlation_id": correlation_id,
            "claimed_at_ms": int(now.timestamp() * 1000),
            "accepted": False,
            "expires_at": int((now + KEPT).timestamp()),
        }
        unknown = "attribute_not_exists(pk)"
        expired = "expires_at <= :now"  # TTL removes it days later.
        write = self.table.put(item, f"{unknown} OR {expired}", {":now": int(now.timestamp())})
        stored = write.item or item
        return _from_item(item if write.accepted else stored, ours=write.accepted)

    def accept(self, user_id: str, webhook_id: str) -> None:
        """Record that its order is in the queue: from now on each delivery is a duplicate."""
        # An erased user must not come back as half an item.
        self.table.update(
            user_id,
            PREFIX + webhook_id,
            "SET accepted = :yes",
            {":yes": True},
            "attribute_exists(pk)",
        )


def _from_item(item: Item, *, ours: bool) -> Claim:
    return Claim(
        job_id=item["job_id"],
        correlation_id=item["correlation_id"],
        claimed_at=datetime.fromtimestamp(item["claimed_at_ms"] / 1000, UTC),
        accepted=item["accepted"],
        ours=ours,
    )
