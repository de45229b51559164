"""
A shard of the users who are due: the message that a tick sends, and the orders of its users.

A shard that was killed continues after its last page: see `dispatch`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from bg_ingest.accounts.connection import FIRST_SOURCE, LISTED, source_key, source_of
from bg_ingest.clock import new_id
from bg_ingest.sync.dispatching import poll_slots, poll_stretch
from bg_ingest.sync.job import JobKind, Order, Trigger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table

    SendOrders = Callable[[Iterable[Order]], None]

CURSOR_PK = "app#cursor"
# The orders of one page are sent together; then the cursor moves.
PAGE_USERS = 500
LISTING = -1  # In place of a slot's number: all users who ever connected.
_MINUTE_S = 60
_CURSOR_KEPT = timedelta(days=1)
_BEFORE_ALL = " "  # Sorts before every user id. DynamoDB accepts no empty text here.


@dataclass(frozen=True, slots=True)
class Shard:
    """Some of the users of one slot; they are due in one of the minutes from `first` to `last`."""

    kind: JobKind
    interval_s: int
    number: int
    shard: int
    first: int
    last: int
    at_s: int  # When the tick ordered it, in epoch seconds.
    delay_s: int
    correlation_id: str
    own_pace: bool = False  # Users with servers of their own.
    stretch_percent: int = 100

    @property
    def slots(self) -> tuple[str, ...]:
        """The values of the index that its users have."""
        if self.number == LISTING:
            return (LISTED,)
        return poll_slots.slots_of_shard(self.interval_s, self.number, self.shard, own_pace=self.own_pace)

    @property
    def valid_s(self) -> int:
        """After how many seconds the next polls of its users are ordered."""
        return self.interval_s * self.stretch_percent // 100 + self.delay_s

    def is_over(self, now: datetime) -> bool:
        """Whether its users are due again, so that their polls would be refused."""
        return self.kind is JobKind.INCREMENTAL and now.timestamp() - self.at_s >= self.valid_s

    def order(self, user_id: str, source: str = FIRST_SOURCE) -> Order | None:
        """The order for a source of one of the users; None if it is not due."""
        if self.kind is JobKind.RECONCILE:
            minutes = range(self.first, self.last + 1)
            if not poll_slots.is_reconciled_in(minutes, source_key(user_id, source)):
                return None
        at = datetime.fromtimestamp(self.at_s, UTC)
        return Order(
            user_id,
            new_id(at),
            self.kind,
            Trigger.SCHEDULE,
            self.correlation_id,
            interval_s=self.valid_s,
            stretch_percent=self.stretch_percent,
            repairs=self.number == LISTING,
            source=source,
        )

    def as_message(self) -> dict[str, Any]:
        """The form it has in the queue."""
        return asdict(self)

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Shard:
        """Read a queue message; raises KeyError, ValueError or TypeError on an invalid one."""
        return cls(**message | {"kind": JobKind(message["kind"])})


def serve(
    shard: Shard,
    *,
    table: Table,
    send: SendOrders,
    clock: Clock,
    resumed: bool = False,
    page_users: int = PAGE_USERS,
) -> int:
    """Send the orders of one shard's users, page by page; returns how many. `resumed` reads the cursor."""
    if shard.is_over(clock.now()):
        return 0
    cursor = _cursor(table, shard) if resumed else None
    sent = 0
    for slot in shard.slots:
        if cursor and slot < cursor["slot"]:
            continue
        after = cursor["after"] if cursor and slot == cursor["slot"] else _BEFORE_ALL
        # Two sources of one user may have one slot, and a page may end between them.
        users = table.query(
            "seat = :slot AND pk >= :after",
            {":slot": slot, ":after": after},
            index="seat",
            page_items_max=page_users,
        )
        if cursor and slot == cursor["slot"]:
            sent_last = after, cursor.get("item", "sync")
            users = (item for item in users if (item["pk"], item["sk"]) != sent_last)
        while page := list(islice(users, page_users)):
            ordered = (shard.order(item["pk"], source_of(item)) for item in page)
            orders = [order for order in ordered if order]
            send(orders)
            sent += len(orders)
            if len(page) == page_users:
                _move_cursor(table, shard, slot, page[-1], clock)
            count_orders(table, shard, len(orders))
    return sent


def count_orders(table: Table, shard: Shard, orders: int) -> None:
    """Count orders of a shard whose users share a quota, for the next hour's stretch."""
    if shard.kind is JobKind.INCREMENTAL and not shard.own_pace:
        poll_stretch.count(table, shard.at_s // _MINUTE_S, {f"users_{shard.interval_s}": orders})


def _cursor(table: Table, shard: Shard) -> Item | None:
    """How far an earlier delivery of the same message came."""
    item = table.get(CURSOR_PK, _cursor_key(shard))
    return item if item and item["at"] == shard.at_s else None


def _move_cursor(table: Table, shard: Shard, slot: str, after: Item, clock: Clock) -> None:
    table.put(
        {
            "pk": CURSOR_PK,
            "sk": _cursor_key(shard),
            "at": shard.at_s,
            "slot": slot,
            "after": after["pk"],
            "item": after["sk"],
            "expires_at": int((clock.now() + _CURSOR_KEPT).timestamp()),
        }
    )


def _cursor_key(shard: Shard) -> str:
    own = "#own" if shard.own_pace else ""
    return f"{shard.kind}#{shard.interval_s}#{shard.number}#{shard.shard}{own}"
