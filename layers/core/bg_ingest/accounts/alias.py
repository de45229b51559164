"""The name under which the breaker, which everybody shares, knows somebody's connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.dexcom.pseudonym import pseudonym

if TYPE_CHECKING:
    from bg_ingest.accounts.connection import Connection


def alias_of(connection: Connection) -> str | None:
    """The same until the person logs in again; once the connection is erased nothing leads back to it."""
    # A user id can be guessed, and the guess be hashed; when its login was, the connection alone knows.
    return pseudonym("connection", f"{connection.user_id}/{connection.connected_at.isoformat()}")
