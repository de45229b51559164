"""Keeping every sync of a user out while they are erased: with the lease that syncs themselves use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bg_ingest.sync.state import LEASE_TTL, SK

if TYPE_CHECKING:
    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Table

_HOLD = "SET lease_until = :until, fence = fence + :one REMOVE seat, running"


@dataclass(frozen=True, slots=True)
class Fences:
    """The leases of all users, as an erasure takes them."""

    table: Table
    clock: Clock

    def take(self, user_id: str) -> bool:
        """Whether nobody syncs this user now, or can begin to; False while a sync holds the lease."""
        #        |  HELD by a sync: wait  |  it gave it back, or died: ours  |
        never_leased = "attribute_not_exists(lease_until)"
        expired = "lease_until <= :now"
        # Nothing is made where there is nothing: without the item no sync can begin.
        known = "attribute_exists(pk)"
        now = self.clock.now()
        values = {
            ":until": int((now + LEASE_TTL).timestamp()),
            ":now": int(now.timestamp()),
            ":one": 1,
        }
        write = self.table.update(user_id, SK, _HOLD, values, f"{known} AND ({never_leased} OR {expired})")
        return write.accepted or write.item is None
