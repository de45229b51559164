"""The right to refresh one person's tokens, held by one process at a time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bg_ingest.accounts.connection import CURRENT, SK, State

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from bg_ingest.accounts.connection import Connection
    from bg_ingest.dynamo import Table


def claim(table: Table, connection: Connection, holder: str, now: datetime, ttl: timedelta) -> bool:
    """Take the lease for the tokens just read; False if somebody holds it or the tokens moved on."""
    # |  HELD: the others wait, then re-read  |  holder died: anyone may take it  |
    # |---------------------------------------|-----------------------------------|--> time
    # now                               refresh_until
    never_held = "attribute_not_exists(refresh_until)"
    expired = "refresh_until <= :now"
    # Without CURRENT a process that read, was paused, and claims after another has refreshed would
    # spend a refresh token that is already dead.
    connected = "connection_state = :connected"
    # There is no "OR refresh_holder = :holder": a holder is one attempt, never a process or a message,
    # and an attempt claims once.
    write = table.update(
        connection.user_id,
        SK,
        "SET refresh_holder = :holder, refresh_until = :until",
        {
            ":holder": holder,
            ":until": math.ceil((now + ttl).timestamp()),
            ":now": int(now.timestamp()),
            ":generation": connection.generation,
            ":connected": State.CONNECTED,
        },
        f"{CURRENT} AND {connected} AND ({never_held} OR {expired})",
    )
    return write.accepted


def release(table: Table, user_id: str, holder: str) -> None:
    """Give the lease back unused; one that was lost meanwhile stays with its new holder."""
    table.update(
        user_id, SK, "REMOVE refresh_holder, refresh_until", {":holder": holder}, "refresh_holder = :holder"
    )
