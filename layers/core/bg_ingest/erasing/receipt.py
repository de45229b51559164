"""What an erasure removed: the only thing about a person that it leaves."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table

PREFIX = "receipt#"
_COUNT = "removed_"
# What a receipt always names, even where there was none of it.
_ALWAYS = ("hours", "readings", "jobs", "audit_entries")


@dataclass(frozen=True, slots=True)
class Receipt:
    """One erasure; `erased_at` is None until it is through."""

    user_id: str = field(repr=False)
    receipt_id: str
    erased_at: datetime | None = None
    removed: Mapping[str, int] = field(default_factory=dict)

    @property
    def begun_at(self) -> datetime:
        """When the erasure was asked for: its id begins with it."""
        return datetime.fromtimestamp(int(self.receipt_id[:12], 16) / 1000, UTC)

    def as_json(self) -> dict[str, Any]:
        """The form the API shows it in."""
        return {
            "receipt_id": self.receipt_id,
            "erased_at": self.erased_at.strftime("%Y-%m-%dT%H:%M:%SZ") if self.erased_at else None,
            "removed": dict.fromkeys(_ALWAYS, 0) | dict(self.removed),
        }


@dataclass(frozen=True, slots=True)
class Receipts:
    """The receipts, in the users table, each beside nothing."""

    table: Table
    clock: Clock
    kept_days: int

    def open(self, user_id: str) -> Receipt:
        """The receipt of an erasure that was interrupted, else a new one."""
        newest = self.newest(user_id)
        if newest and newest.erased_at is None:
            return newest
        # It sorts by time, as a job's id does.
        now_ms = int(self.clock.now().timestamp() * 1000)
        return Receipt(user_id, f"{now_ms:012x}{secrets.token_hex(8)}")

    def newest(self, user_id: str) -> Receipt | None:
        """The last erasure of this user, if there was one."""
        found = self.table.query(
            "pk = :pk AND begins_with(sk, :receipt)",
            {":pk": user_id, ":receipt": PREFIX},
            descending=True,
            consistent=True,
            page_items_max=1,
        )
        return next(map(_from_item, found), None)

    def erased_since(self, user_id: str, instant: datetime) -> bool:
        """Whether an erasure of this user was begun at that time or later."""
        newest = self.newest(user_id)
        return newest is not None and newest.begun_at >= instant

    def add(self, receipt: Receipt, removed: Counter[str]) -> Receipt:
        """Count what was removed; what a crash keeps from being counted is one batch at most."""
        if not removed:
            return receipt
        names = sorted(removed)
        values: Item = {f":n{index}": removed[name] for index, name in enumerate(names)}
        counts = ", ".join(f"{_COUNT}{name} :n{index}" for index, name in enumerate(names))
        return self._update(receipt, f"ADD {counts} SET expires_at = :expires", values)

    def close(self, receipt: Receipt) -> Receipt:
        """The erasure is through; one that found nothing to remove is the one before it."""
        if not receipt.removed:
            before = self.newest(receipt.user_id)
            if before and before.erased_at:
                return before
        return self._update(
            receipt,
            "SET erased_at = :now, expires_at = :expires",
            {":now": self.clock.now().astimezone(UTC).isoformat()},
        )

    def _update(self, receipt: Receipt, change: str, values: Item) -> Receipt:
        expires_at = self.clock.now() + timedelta(days=self.kept_days)
        every = values | {":expires": int(expires_at.timestamp())}
        write = self.table.update(receipt.user_id, PREFIX + receipt.receipt_id, change, every)
        assert write.item is not None  # noqa: S101 - an accepted update answers with the item.
        return _from_item(write.item)


def _from_item(item: Item) -> Receipt:
    erased_at = item.get("erased_at")
    return Receipt(
        user_id=item["pk"],
        receipt_id=item["sk"].removeprefix(PREFIX),
        erased_at=datetime.fromisoformat(erased_at) if erased_at else None,
        removed={name.removeprefix(_COUNT): n for name, n in item.items() if name.startswith(_COUNT)},
    )
