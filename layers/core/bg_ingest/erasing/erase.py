"""
Erasing a person, even while they are being synced; a scan of both tables then finds only the receipt.

    receipt, ask for     connection     lease taken,      all partitions,      sync item     erased
    a second look        removed        or waited for     until none has any   removed
    -----|-------------------|---------------|--------------------|----------------|-----------|------> time
         |                   |               |                    |                |
         |                   |               |                    |                +- orders still queued find
         |                   |               |                    |                   no user, and do nothing
         |                   |               |                    +- nobody has the right to write any more
         |                   |               +- no sync starts; one that is paused will lose every write that
         |                   |                  names its fence: cursor, release
         |                   +- no tokens: a running sync ends with its call, and gives the lease back
         +- whatever happens from here on, the second look finishes it

Two kinds of writes name no fence, and may come after all this from a process that was paused: an hour of
readings, and a job kept right after its lease was given back. So there is a second look, once every process
that lived during the erasure has surely ended (SECOND_LOOK_S, tested against the template): it removes what
came, or carries on an erasure that was interrupted. It leaves alone whoever has connected anew, or is
about to, and what was recorded or asked for after the erasure.

A login that was under way is removed as well; its callback notices and takes back what it wrote
(connecting/flow.py). One that dies before it has done so leaves a connection whose login is older than the
erasure, or a sync item without any: the second look then erases once more. Every step may be repeated, by
anybody, at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bg_ingest.access import audit
from bg_ingest.accounts import connection
from bg_ingest.erasing import removal
from bg_ingest.erasing.fence import Fences
from bg_ingest.erasing.receipt import PREFIX as RECEIPT
from bg_ingest.erasing.removal import Partition
from bg_ingest.sync import state
from bg_ingest.sync.state import LEASE_TTL

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table
    from bg_ingest.erasing.receipt import Receipt, Receipts

# A lease outlives every function that can hold it, so after this no process of before is left.
SECOND_LOOK_S = int(LEASE_TTL.total_seconds()) + 30
# A sync without tokens ends within one call to the provider; one that is dead is not waited for.
_LEASE_WAIT_S_MAX = 10.0
_LEASE_PAUSE_S = 0.5
# What the last batch and the answer need.
_RESERVE_S = 4.0


@dataclass(frozen=True, slots=True)
class Eraser:
    """What erasing needs at hand."""

    users: Table
    readings: Table
    receipts: Receipts
    look_again: Callable[[str, int], None]  # For this user, in so many seconds.
    clock: Clock

    def erase(self, user_id: str, time_left_s: Callable[[], float]) -> Receipt:
        """Remove everything about a user; a receipt without `erased_at` if time ran out and it goes on."""
        receipt = self.receipts.open(user_id)
        self.look_again(user_id, SECOND_LOOK_S)
        receipt = self._drop(receipt, connection.SK)
        self._keep_syncs_out(user_id, min(_LEASE_WAIT_S_MAX, time_left_s() / 2))
        while True:
            before = receipt
            for partition in self._everything(user_id):
                for removed in partition.empty():
                    receipt = self.receipts.add(receipt, removed)
                    if time_left_s() < _RESERVE_S:
                        self.look_again(user_id, 0)
                        return receipt
            if receipt is before:
                break
        return self.receipts.close(self._drop(receipt, state.SK))

    def second_look(self, user_id: str, time_left_s: Callable[[], float]) -> None:
        """Carry on an interrupted erasure; after one that is through, remove what came late."""
        receipt = self.receipts.newest(user_id)
        # In this order: whoever connects writes the connection first.
        polled = self.users.get(user_id, state.SK) is not None
        connected = self.users.get(user_id, connection.SK)
        if receipt is None or receipt.erased_at is None:
            self.erase(user_id, time_left_s)
        elif connected and connection.login_started_at(connected) > receipt.erased_at:
            return  # Whoever has connected anew keeps what is new.
        elif connected or polled:
            self.erase(user_id, time_left_s)  # Left by a callback that died, or by one before it was noticed.
        else:
            for partition in self._everything(user_id, until=receipt.erased_at):
                for removed in partition.empty():
                    self.receipts.add(receipt, removed)

    def _keep_syncs_out(self, user_id: str, wait_s_max: float) -> None:
        fences = Fences(self.users, self.clock)
        deadline_s = self.clock.monotonic_s() + wait_s_max
        while not fences.take(user_id):
            if self.clock.monotonic_s() >= deadline_s:
                return  # Its lease goes with the sync item, and the second look takes what it still writes.
            self.clock.sleep(_LEASE_PAUSE_S)

    def _drop(self, receipt: Receipt, sk: str) -> Receipt:
        gone = self.users.delete(receipt.user_id, sk).item
        return self.receipts.add(receipt, removal.as_kind(gone)) if gone else receipt

    def _everything(self, user_id: str, until: datetime | None = None) -> list[Partition]:
        def recorded(item: Item) -> bool:
            return until is None or _made_ms(item["sk"]) <= until.timestamp() * 1000

        def goes(item: Item) -> bool:
            kind = item["sk"].partition("#")[0] + "#"
            if until and kind == "login#":  # Who is at the provider by now comes back to it,
                return datetime.fromisoformat(item["started_at"]) <= until
            if until and kind == connection.SK + "#":  # or has just come back.
                return connection.login_started_at(item) <= until
            # The sync item goes last: while it is there, it is the lease that keeps everybody out.
            return kind not in {RECEIPT, state.SK + "#"} and (kind != "job#" or recorded(item))

        return [
            Partition(self.readings, user_id, lambda _: True, removal.as_hour),
            Partition(self.users, user_id, goes, removal.as_kind),
            Partition(self.users, audit.partition(user_id), recorded, removal.as_audit_entry),
        ]


def _made_ms(sk: str) -> int:
    """When a job or an audit entry was made: ids begin with twelve hexadecimal digits of time."""
    return int(sk.rpartition("#")[2][:12], 16)
