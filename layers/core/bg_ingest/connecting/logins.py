"""
Logins in progress, from our link to the provider's callback.

Only the state value in the link authenticates the callback's user: random, valid once and for ten minutes,
bound to the user who asked. Only its hash is stored, so reading the table opens no login.

    start ──► valid for ten minutes ──► used up ──► parked (parked_logins.py): kept for those ten minutes
                                                └─► not accepted: removed

A login is stored in its user's partition, so that an erasure removes it. The callback contains only the
state value and finds the login through the index that also finds the users of a poll slot. The transaction
that parks the tokens marks the login as finished. If it does not find the login, the user was erased
meanwhile. A finished login is not used again: a reload of the result page shows its state.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bg_ingest.dynamo import Change

if TYPE_CHECKING:
    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table

_PREFIX = "login#"
_INDEX = "seat"
_VALID_FOR = timedelta(minutes=10)
_STATE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Login:
    """A login that was started."""

    user_id: str = field(repr=False)
    started_at: datetime
    expires_at: datetime
    return_url: str | None = field(repr=False)
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Logins:
    """The login items, in the users table."""

    table: Table
    clock: Clock

    def start(self, user_id: str, return_url: str | None) -> tuple[str, Login]:
        """A new state value and its login."""
        state = secrets.token_urlsafe(_STATE_BYTES)
        now = self.clock.now()
        login = Login(user_id, now, now + _VALID_FOR, return_url, _key(state))
        self.table.put(
            {
                "pk": user_id,
                "sk": login.key,
                "seat": login.key,
                "return_url": return_url,
                "started_at": now.isoformat(),
                "expires_at": int(login.expires_at.timestamp()),
            }
        )
        return state, login

    def finish(self, state: str) -> Login | None:
        """The login of this state value, once; None if it is unknown, used or expired."""
        key = _key(state)
        found = next(self.table.query("seat = :key", {":key": key}, index=_INDEX), None)
        if found is None:
            return None
        exists = "attribute_exists(pk)"
        unused = "attribute_not_exists(used)"
        in_time = "expires_at > :now"  # TTL removes the item only hours later.
        write = self.table.update(
            found["pk"],
            key,
            "SET used = :yes",
            {":yes": True, ":now": int(self.clock.now().timestamp())},
            f"{exists} AND {unused} AND {in_time}",
        )
        if not write.accepted or write.item is None:
            return None
        return _from_item(write.item)

    def finished(self, login: Login) -> Change:
        """Return the write that marks a login as finished; it is refused if the user was erased meanwhile."""
        return Change(
            login.user_id, login.key, "SET finished = :yes", {":yes": True}, condition="attribute_exists(pk)"
        )

    def repeated(self, state: str) -> Login | None:
        """The login of this state value, if the provider has accepted it within the last ten minutes."""
        key = _key(state)
        found = next(self.table.query("seat = :key", {":key": key}, index=_INDEX), None)
        item = self.table.get(found["pk"], key) if found else None
        if item is None or not item.get("finished") or item["expires_at"] <= self.clock.now().timestamp():
            return None
        return _from_item(item)

    def done(self, login: Login) -> bool:
        """Remove a login whose results are all written; False if it was erased meanwhile."""
        return self.table.delete(login.user_id, login.key).item is not None


def _from_item(item: Item) -> Login:
    started_at = datetime.fromisoformat(item["started_at"])
    expires_at = datetime.fromtimestamp(item["expires_at"], UTC)
    return Login(item["pk"], started_at, expires_at, item["return_url"], item["sk"])


def _key(state: str) -> str:
    return f"{_PREFIX}{hashlib.sha256(state.encode()).hexdigest()}"
