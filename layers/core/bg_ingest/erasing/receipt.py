"""Receipts: what an erasure removed. It is all that an erasure leaves about a user."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.clock import made_at, new_id, rfc_3339, to_iso
from bg_ingest.providers.seam import pseudonym

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping

    from bg_ingest.access.caller import Caller
    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table

PREFIX = "receipt#"
_COUNT = "removed_"
# Counts that each receipt has, also when they are 0.
_ALWAYS = ("hours", "readings", "jobs", "audit_entries")


@dataclass(frozen=True, slots=True)
class ErasureActor:
    """The caller that asked for an erasure: the user or a service, and a hash of the token's subject."""

    kind: str
    pseudonym: str | None

    @classmethod
    def of(cls, caller: Caller) -> ErasureActor:
        """The actor of a request."""
        return cls("person" if caller.user_id else "service", pseudonym("erasure/actor", caller.actor))


@dataclass(frozen=True, slots=True)
class Receipt:
    """One erasure; `erased_at` is None until it is complete."""

    user_id: str = field(repr=False)
    receipt_id: str
    actor: ErasureActor | None = None  # None if a second look found what a crashed login had left.
    erased_at: datetime | None = None
    removed: Mapping[str, int] = field(default_factory=dict)

    @property
    def begun_at(self) -> datetime:
        """When the erasure was requested; its id begins with that time."""
        return made_at(self.receipt_id)

    def as_json(self) -> dict[str, Any]:
        """The form the API shows it in."""
        return {
            "receipt_id": self.receipt_id,
            "erased_at": rfc_3339(self.erased_at),
            "actor": {"kind": self.actor.kind, "id": self.actor.pseudonym} if self.actor else None,
            "removed": dict.fromkeys(_ALWAYS, 0) | dict(self.removed),
        }


@dataclass(frozen=True, slots=True)
class Receipts:
    """The receipt items, in the users table."""

    table: Table
    clock: Clock
    kept_days: int

    def open(self, user_id: str, actor: ErasureActor | None = None) -> Receipt:
        """The receipt of an erasure that was interrupted, else a new one; the first actor stays."""
        newest = self.newest(user_id)
        if newest and newest.erased_at is None:
            return newest
        return Receipt(user_id, new_id(self.clock.now()), actor)

    def newest(self, user_id: str) -> Receipt | None:
        """The last erasure of this user, if any."""
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
        """Add counts of removed items; a crash leaves at most one batch uncounted."""
        if not any(removed.values()):
            return receipt
        names = sorted(removed)
        values: Item = {f":n{index}": removed[name] for index, name in enumerate(names)}
        counts = ", ".join(f"{_COUNT}{name} :n{index}" for index, name in enumerate(names))
        return self._update(receipt, f"ADD {counts} SET expires_at = :expires", values)

    def close(self, receipt: Receipt) -> Receipt:
        """Complete the erasure; one that found nothing to remove returns the receipt before it."""
        if not receipt.removed:
            before = self.newest(receipt.user_id)
            if before and before.erased_at:
                return before
        return self._update(
            receipt,
            "SET erased_at = :now, expires_at = :expires",
            {":now": to_iso(self.clock.now())},
        )

    def _update(self, receipt: Receipt, change: str, values: Item) -> Receipt:
        expires_at = self.clock.now() + timedelta(days=self.kept_days)
        every = values | {":expires": int(expires_at.timestamp())}
        if receipt.actor:
            # In the first write already, so that it is stored if the process dies.
            change += ", actor_kind = :kind, actor_id = :actor"
            every |= {":kind": receipt.actor.kind, ":actor": receipt.actor.pseudonym}
        write = self.table.update(receipt.user_id, PREFIX + receipt.receipt_id, change, every)
        assert write.item is not None  # noqa: S101 - an accepted update answers with the item.
        return _from_item(write.item)


def _from_item(item: Item) -> Receipt:
    erased_at, kind = item.get("erased_at"), item.get("actor_kind")
    return Receipt(
        user_id=item["pk"],
        receipt_id=item["sk"].removeprefix(PREFIX),
        actor=ErasureActor(kind, item["actor_id"]) if kind else None,
        erased_at=datetime.fromisoformat(erased_at) if erased_at else None,
        removed={name.removeprefix(_COUNT): n for name, n in item.items() if name.startswith(_COUNT)},
    )
