"""The lease on refreshing one user's tokens, held by one process at a time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bg_ingest.accounts.connection import CURRENT, SK, ConnectionState
from bg_ingest.accounts.source_keys import source_key

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from bg_ingest.accounts.connection import Connection
    from bg_ingest.dynamo import Table


def claim(table: Table, connection: Connection, holder: str, now: datetime, ttl: timedelta) -> bool:
    """Take the lease for these tokens; False if it is held, or the tokens have been replaced."""
    # |  HELD: others wait, then re-read      |  holder died: any process may take it  |
    # |---------------------------------------|----------------------------------------|--> time
    # now                               refresh_until
    never_held = "attribute_not_exists(refresh_until)"
    expired = "refresh_until <= :now"
    # Without CURRENT, a process that was paused between its read and its claim would use a refresh token that
    # another process has used meanwhile.
    connected = "connection_state = :connected"
    # There is no "OR refresh_holder = :holder": a holder is one attempt, and an attempt claims once.
    write = table.update(
        connection.user_id,
        source_key(SK, connection.source),
        "SET refresh_holder = :holder, refresh_until = :until",
        {
            ":holder": holder,
            ":until": math.ceil((now + ttl).timestamp()),
            ":now": int(now.timestamp()),
            ":generation": connection.generation,
            ":connected": ConnectionState.CONNECTED,
        },
        f"{CURRENT} AND {connected} AND ({never_held} OR {expired})",
    )
    return write.accepted


def release(table: Table, connection: Connection, holder: str) -> None:
    """Release an unused lease; one that was lost meanwhile stays with its new holder."""
    table.update(
        connection.user_id,
        source_key(SK, connection.source),
        "REMOVE refresh_holder, refresh_until",
        {":holder": holder},
        "refresh_holder = :holder",
    )
