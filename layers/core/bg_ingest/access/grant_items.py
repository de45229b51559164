"""
The grants in the users table, and the index that finds one by what a client sends.

    pk            sk                  seat
    grant#ada     <id>                grant#<lookup of SHA-1>      the grant
    grant#ada     <id>#sha512         grant#<lookup of SHA-512>    points to the grant
    grant#ada     <id>#jwt#<hour>     grant#<lookup of a JWT>      points to the grant, for eight hours

A partition of their own lets the role of a function be limited to grants. Without the grant itself, an item
that points to it opens nothing, so removing the grant ends all of them at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from bg_ingest.access.caller_limits import LimitStatus, resets_in_s, window_of
from bg_ingest.access.grant import Category, Grant, GrantDays
from bg_ingest.clock import from_iso, to_iso
from bg_ingest.dynamo import Change

if TYPE_CHECKING:
    from bg_ingest.access.caller_limits import LimitPolicy
    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table

_PARTITION_PREFIX = "grant#"
_SEAT = "grant#"
_INDEX = "seat"
_HOUR_S = 3_600
# An expired grant is invalid at once. Its item stays for this long, so that its last uses can be looked at.
EXPIRED_KEPT = timedelta(days=7)
# Clients of a grant whose last hour is remembered. A client that is forgotten is audited again.
_CLIENTS_MAX = 40
_CLIENT = "client_"


@dataclass(frozen=True, slots=True)
class GrantKey:
    """The key of a grant."""

    user_id: str
    grant_id: str


@dataclass(frozen=True, slots=True)
class GrantUse:
    """One counted use. `grant` is None if there is no such grant; `limit` says whether it is accepted."""

    grant: Grant | None
    limit: LimitStatus
    clients: dict[str, int]  # The last hour in which each client was audited.


@dataclass(frozen=True, slots=True)
class GrantItems:
    """The grant items of the users table."""

    table: Table
    clock: Clock

    def add(self, grant: Grant, lookups: tuple[str, str]) -> bool:
        """Store a new grant and its second lookup."""
        item = _to_item(grant)
        by_sha1, by_sha512 = lookups
        alias = {"pk": item["pk"], "sk": f"{grant.grant_id}#sha512", "seat": _SEAT + by_sha512}
        if "expires_at" in item:
            alias["expires_at"] = item["expires_at"]
        puts = [item | {"seat": _SEAT + by_sha1}, alias]
        absent = "attribute_not_exists(pk)"
        return self.table.transact(
            Change(each["pk"], each["sk"], item=each, condition=absent) for each in puts
        )

    def add_pointer(self, grant: Grant, name: str, lookup: str, ends_at: datetime) -> None:
        """Let another credential open a grant until a time."""
        item = {
            "pk": partition(grant.user_id),
            "sk": f"{grant.grant_id}#{name}",
            "seat": _SEAT + lookup,
            "expires_at": int(ends_at.timestamp()),
        }
        self.table.put(item, "attribute_not_exists(pk)")

    def has_pointer(self, grant: Grant, name: str) -> bool:
        """Whether this credential is stored already."""
        return self.table.get(partition(grant.user_id), f"{grant.grant_id}#{name}") is not None

    def of_user(self, user_id: str) -> list[Grant]:
        """A user's grants, oldest first, also those that have expired a short time ago."""
        items = self.table.query("pk = :pk", {":pk": partition(user_id)}, consistent=True)
        return [_from_item(item) for item in items if "label" in item]

    def find(self, lookup: str) -> GrantKey | None:
        """The key of the grant with this lookup. A grant made milliseconds ago may be missing."""
        found = next(self.table.query("seat = :seat", {":seat": _SEAT + lookup}, index=_INDEX), None)
        if found is None:
            return None
        return GrantKey(found["pk"].removeprefix(_PARTITION_PREFIX), found["sk"].partition("#")[0])

    def use(self, key: GrantKey, policy: LimitPolicy) -> GrantUse:
        """Count one use of a grant, within its limit: one write if it is the first of a window, else two."""
        now = self.clock.now()
        pk, window = partition(key.user_id), window_of(policy, now)
        values = {":one": 1, ":now": to_iso(now), ":window": window}
        write = self.table.update(
            pk,
            key.grant_id,
            "ADD uses :one SET last_used_at = :now, use_window = :window, window_uses = :one",
            values,
            "attribute_exists(label) AND use_window < :window",
        )
        if not write.accepted and write.item:
            write = self.table.update(
                pk,
                key.grant_id,
                "ADD uses :one, window_uses :one SET last_used_at = :now",
                values | {":max": policy.calls_max},
                "attribute_exists(label) AND use_window >= :window AND window_uses < :max",
            )
        left = policy.calls_max - write.item["window_uses"] if write.item else 0
        limit = LimitStatus(write.accepted, max(left, 0), resets_in_s(policy, now))
        if write.item is None or "label" not in write.item:
            return GrantUse(None, limit, {})
        hours = {name.removeprefix(_CLIENT): n for name, n in write.item.items() if name.startswith(_CLIENT)}
        return GrantUse(_from_item(write.item), limit, hours)

    def first_of_hour(self, use: GrantUse, client: str) -> Change | None:
        """The change that marks this client as audited in this hour; None if it is marked."""
        hour = int(self.clock.now().timestamp()) // _HOUR_S
        if use.grant is None or use.clients.get(client) == hour:
            return None
        forgotten = use.clients.keys() - {client} if len(use.clients) >= _CLIENTS_MAX else ()
        removal = f" REMOVE {', '.join(_CLIENT + name for name in sorted(forgotten))}" if forgotten else ""
        name = _CLIENT + client
        return Change(
            partition(use.grant.user_id),
            use.grant.grant_id,
            f"SET {name} = :hour{removal}",
            {":hour": hour},
            condition=f"attribute_exists(label) AND (attribute_not_exists({name}) OR {name} < :hour)",
        )

    def remove(self, key: GrantKey) -> bool:
        """Remove a grant; False if no grant has this id."""
        return self.table.delete(partition(key.user_id), key.grant_id).item is not None


def partition(user_id: str) -> str:
    """The partition key of one user's grants."""
    return _PARTITION_PREFIX + user_id


def _to_item(grant: Grant) -> Item:
    item: Item = {
        "pk": partition(grant.user_id),
        "sk": grant.grant_id,
        "label": grant.label,
        "reads": list(grant.reads),
        "last_days": grant.days.last,
        "first_day": grant.days.first_day and grant.days.first_day.isoformat(),
        "last_day": grant.days.last_day and grant.days.last_day.isoformat(),
        "created_at": to_iso(grant.created_at),
        "ends_at": to_iso(grant.expires_at),
        "last_used_at": None,
        "uses": 0,
        "use_window": 0,
        "window_uses": 0,
    }
    if grant.expires_at:
        item["expires_at"] = int((grant.expires_at + EXPIRED_KEPT).timestamp())
    return item


def _from_item(item: Item) -> Grant:
    first, last = item["first_day"], item["last_day"]
    return Grant(
        user_id=item["pk"].removeprefix(_PARTITION_PREFIX),
        grant_id=item["sk"],
        label=item["label"],
        reads=tuple(map(Category, item["reads"])),
        days=GrantDays(
            item["last_days"],
            date.fromisoformat(first) if first else None,
            date.fromisoformat(last) if last else None,
        ),
        created_at=from_iso(item["created_at"]),
        expires_at=from_iso(item["ends_at"]),
        last_used_at=from_iso(item["last_used_at"]),
        uses=item["uses"],
    )
