"""
Erasing a user, even while they are being synced. Afterwards the tables hold the receipt and nothing else.

    receipt, order a     connection     syncs ended,      all partitions,      sync item     erased
    second look          removed        lease taken       until all are empty  removed
    -----|-------------------|---------------|--------------------|----------------|-----------|------> time
         |                   |               |                    |                |
         |                   |               |                    |                +- orders find no user
         |                   |               |                    +- no process may write any more
         |                   |               +- no sync starts; writes that name an older fence are refused
         |                   +- no tokens: a running sync ends with its call. Its lease, or the schedule of
         |                      polls, which take none, says that it may be running (`_keep_syncs_out`)
         +- after a crash at any later step, the second look completes the erasure

Two kinds of writes name no fence and may come later from a paused process: an hour of readings, and a job
whose end was refused. So there is a second look, after every process of that time has
ended (SECOND_LOOK_S, tested against the template). It removes what came late, or continues an interrupted
erasure. It keeps what belongs to a user who has connected again, or is about to, and what was recorded after
the erasure.

An erasure also removes logins in progress. Their callback notices that and removes what it wrote
(connecting/flow.py). If the callback dies before that, it leaves a connection whose login is older than the
erasure, or a sync item without a connection. Then the second look erases again. Every step may be repeated
by any process at any time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from bg_ingest.access import audit, grant_items
from bg_ingest.accounts import connection
from bg_ingest.accounts.connection import OF_ALL_SOURCES, all_sources
from bg_ingest.clock import made_at
from bg_ingest.erasing import removal
from bg_ingest.erasing.receipt import PREFIX as RECEIPT
from bg_ingest.erasing.removal import Partition
from bg_ingest.readings.changes import late_log
from bg_ingest.sync import state
from bg_ingest.sync.state import LEASE_TTL, READ_LATE_MAX, SyncStates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table
    from bg_ingest.erasing.receipt import ErasureActor, Receipt, Receipts

# A lease outlives every function that can hold it, so after this time no process of that time is left.
SECOND_LOOK_S = int(LEASE_TTL.total_seconds()) + 30
# A sync without tokens ends within one call to the provider. A dead one is not waited for.
LEASE_WAIT_S_MAX = 10.0
_LEASE_PAUSE_S = 0.5
# The time for the last batch and the response.
_RESERVE_S = 4.0


class ExportRecords(Protocol):
    """Where the exports of users are recorded."""

    def partition(self, user_id: str) -> str:
        """The partition of what is recorded of a user."""
        ...

    def forget(self, items: Sequence[Item]) -> None:
        """Remove some of it, and take it out of the sums of exports of many users."""
        ...


@dataclass(frozen=True, slots=True)
class Eraser:
    """Erases users."""

    users: Table
    readings: Table
    intake: Table
    receipts: Receipts
    order_second_look: Callable[[str, int], None]  # For this user, in so many seconds.
    clock: Clock
    exports: ExportRecords
    remove_objects: Callable[[str], int] = lambda _: 0  # Files of exports; returns how many.

    def erase(
        self, user_id: str, time_left_s: Callable[[], float], actor: ErasureActor | None = None
    ) -> Receipt:
        """Remove everything about a user; a receipt without `erased_at` if it continues in the background."""
        receipt = self.receipts.open(user_id, actor)
        self.order_second_look(user_id, SECOND_LOOK_S)
        for sk in self._keys(user_id, connection.SK):
            receipt = self._delete(receipt, sk)
        self._keep_syncs_out(user_id, min(LEASE_WAIT_S_MAX, time_left_s() / 2))
        while True:
            before = receipt
            for removed in self._emptied(user_id):
                receipt = self.receipts.add(receipt, removed)
                if time_left_s() < _RESERVE_S:
                    self.order_second_look(user_id, 0)
                    return receipt
            if receipt is before:
                break
        for sk in self._keys(user_id, state.SK):
            receipt = self._delete(receipt, sk)
        return self.receipts.close(receipt)

    def erase_as_asked(
        self, user_id: str, asked_at: datetime, actor: ErasureActor, time_left_s: Callable[[], float]
    ) -> Receipt | None:
        """Erase what there was when it was asked; a message that comes again erases no newer login."""
        if self._has_login_since(user_id, asked_at):
            return None
        newest = self.receipts.newest(user_id)
        if newest and newest.erased_at and newest.begun_at >= asked_at:
            return newest
        return self.erase(user_id, time_left_s, actor)

    def second_look(self, user_id: str, time_left_s: Callable[[], float]) -> None:
        """Continue an interrupted erasure; after a complete one, remove what came late."""
        receipt = self.receipts.newest(user_id)
        # The sync item is read first: a login writes the connection before the sync item.
        polled = self._keys(user_id, state.SK)
        connected = self._keys(user_id, connection.SK)
        if receipt is None or receipt.erased_at is None:
            self.erase(user_id, time_left_s)
        elif self._has_login_since(user_id, receipt.erased_at):
            return  # The user has connected again.
        elif connected or polled:
            self.erase(user_id, time_left_s)  # A callback that died has left this.
        else:
            for removed in self._emptied(user_id, until=receipt.erased_at):
                self.receipts.add(receipt, removed)

    def _keep_syncs_out(self, user_id: str, wait_s_max: float) -> None:
        states, last_read_at = SyncStates(self.users, self.clock), self.clock.now() + READ_LATE_MAX
        stretch = states.stretch()
        deadline_s = self.clock.monotonic_s() + wait_s_max
        # A poll takes no lease. One that begins later finds no connection, so one that was ordered ends soon.
        while any(state.may_be_polled(stretch, last_read_at) for state in states.of_user(user_id)):
            if self.clock.monotonic_s() >= deadline_s:
                break
            self.clock.sleep(_LEASE_PAUSE_S)
        waited_for = [item.source for item in states.of_user(user_id)]
        while waited_for := [source for source in waited_for if not states.keep_syncs_out(user_id, source)]:
            if self.clock.monotonic_s() >= deadline_s:
                return  # The lease goes with the sync item; the second look removes what its holder writes.
            self.clock.sleep(_LEASE_PAUSE_S)

    def _keys(self, user_id: str, kind: str) -> list[str]:
        """The sort keys of the items of this kind, one for each source."""
        items = self.users.query(OF_ALL_SOURCES, all_sources(user_id, kind), consistent=True)
        return [item["sk"] for item in items]

    def _has_login_since(self, user_id: str, since: datetime) -> bool:
        items = self.users.query(OF_ALL_SOURCES, all_sources(user_id, connection.SK), consistent=True)
        return any(connection.login_started_at(item) > since for item in items)

    def _delete(self, receipt: Receipt, sk: str) -> Receipt:
        deleted = self.users.delete(receipt.user_id, sk).item
        return self.receipts.add(receipt, removal.count_by_kind(deleted)) if deleted else receipt

    def _emptied(self, user_id: str, until: datetime | None = None) -> Iterator[Counter[str]]:
        """Remove everything; the counts come as it is removed."""
        yield Counter(export_files=self.remove_objects(user_id))
        for partition in self._partitions(user_id, until):
            yield from partition.empty()

    def _partitions(self, user_id: str, until: datetime | None = None) -> list[Partition]:
        """Everything to remove; with `until`, only what was made by then."""

        def made_in_time(item: Item) -> bool:
            return until is None or made_at(item["sk"].rpartition("#")[2]) <= until

        def named_in_time(item: Item) -> bool:
            return until is None or made_at(item["sk"].partition("#")[0]) <= until

        def is_removed(item: Item) -> bool:
            kind = item["sk"].partition("#")[0] + "#"
            if until and kind in {"login#", "parked#"}:  # A login started since is of a user who comes back,
                return datetime.fromisoformat(item["started_at"]) <= until
            if until and kind == connection.SK + "#":  # and the same holds for its connection.
                return connection.login_started_at(item) <= until
            # The sync item is removed last: until then its lease keeps all syncs out.
            return kind not in {RECEIPT, state.SK + "#"} and (
                kind not in {"job#", "polls#"} or made_in_time(item)
            )

        return [
            Partition(self.users, grant_items.partition(user_id), named_in_time, removal.count_grant),
            Partition(
                self.users,
                self.exports.partition(user_id),
                named_in_time,
                removal.count_export,
                self.exports.forget,
            ),
            Partition(self.readings, user_id, lambda _: True, removal.count_hour),
            # The keys of messages go with it, so no record that waits in a queue can be opened any more.
            Partition(self.intake, user_id, lambda _: True, removal.count_by_kind),
            Partition(self.users, user_id, is_removed, removal.count_by_kind),
            Partition(self.users, late_log.partition(user_id), lambda _: True, removal.count_late_entry),
            Partition(self.users, audit.partition(user_id), made_in_time, removal.count_audit_entry),
        ]
