"""
One login at the provider, from our link to its callback.

The state value in the link is the callback's only proof of who comes back: random, good for one use and ten
minutes, bound to the user who asked. Only its hash is stored, so that reading the table opens no login.

    start ──► (good for ten minutes) ──► finish: used, for ever ──► done: removed

A login lies among everything else about its user, so that erasing the person takes it along; the callback,
which brings nothing but the state value, finds it through the index that also finds the users of a seat. One
that is used stays until its callback has written everything: if `done` finds it gone, the person was erased
meanwhile.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Table

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
    """The logins under way, in the users table."""

    table: Table
    clock: Clock

    def start(self, user_id: str, return_url: str | None) -> tuple[str, Login]:
        """A new state value, and the login it stands for."""
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
        """The login this state value stands for, once; None if there is none, or no longer."""
        key = _key(state)
        found = next(self.table.query("seat = :key", {":key": key}, index=_INDEX), None)
        if found is None:
            return None
        there = "attribute_exists(pk)"
        unused = "attribute_not_exists(used)"
        # TTL removes it hours later; only the condition makes it expire on time.
        in_time = "expires_at > :now"
        write = self.table.update(
            found["pk"],
            key,
            "SET used = :yes REMOVE seat",
            {":yes": True, ":now": int(self.clock.now().timestamp())},
            f"{there} AND {unused} AND {in_time}",
        )
        if not write.accepted or write.item is None:
            return None
        item = write.item
        started_at = datetime.fromisoformat(item["started_at"])
        expires_at = datetime.fromtimestamp(item["expires_at"], UTC)
        return Login(item["pk"], started_at, expires_at, item["return_url"], key)

    def done(self, login: Login) -> bool:
        """Everything that follows from a used login is written; False if it was erased meanwhile."""
        return self.table.delete(login.user_id, login.key).item is not None


def _key(state: str) -> str:
    return f"{_PREFIX}{hashlib.sha256(state.encode()).hexdigest()}"
