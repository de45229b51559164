"""
How often to poll somebody: as often as they chose, unless their data has stopped.

    newest reading   0          1 day              7 days
                     |-- chosen --|-- every hour ----|-- every six hours -->

Whoever wears no sensor for a fortnight costs 200 calls instead of 1,300. A receiver that is plugged in every
few days is seen within the hour. The first reading that comes back restores the full pace.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.sync import seats

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.sync.standing import SyncState

# The longest silence first. Both are among the intervals a user may choose, so the dispatcher knows them.
SLOWED = ((timedelta(days=7), 21_600), (timedelta(days=1), 3_600))


def interval_now_s(chosen_s: int, quiet_for: timedelta) -> int:
    """The interval for somebody whose newest reading is that old; never shorter than what they chose."""
    return next((max(chosen_s, slow_s) for silence, slow_s in SLOWED if quiet_for >= silence), chosen_s)


def seat_now(state: SyncState, data_until: datetime | None, now: datetime) -> str:
    """The seat of somebody whose newest reading is from `data_until`."""
    newest = max(state.begun_at, data_until) if data_until else state.begun_at
    return seats.seat_of(state.user_id, interval_now_s(state.poll_interval_s, now - newest))
