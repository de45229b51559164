"""
Which part of a person's history to ask the provider for.

Readings arrive late: an hour as a rule, three hours outside the US, a day after a phone was out of reach,
weeks from a receiver. So "since the newest we have" loses everything that fills in behind it. A poll starts
at the oldest gap instead:

        |<------------------- horizon -------------------->|
     ---|-o-o-o-o-o- - - - -o-o-o-o-o-o-o-o-o-o-o-o-o-o-o--|--> time
                   ^ the window starts here                now

Where nothing is missing it starts a little before the newest, so that a value revised after the fact is seen.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bg_ingest.readings.gaps import find_gaps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bg_ingest.sync.state import Backfill, SyncState

Window = tuple[datetime, datetime]

# A phone fills in up to a day; what is later than that is found by comparing with the provider's range.
POLL_HORIZON = timedelta(hours=24)
# What a reconciliation reads again in any case: others re-read three days of the same provider.
RECONCILE_HORIZON = timedelta(hours=72)
# The longest the provider itself holds readings back: what is revised or filled in meanwhile is seen, for
# three dozen records more and no further call.
OVERLAP = timedelta(hours=3)
# Device clocks run ahead; a reading from a minute in the future must not wait for the next poll.
AHEAD = timedelta(minutes=10)
# A third of what the provider answers for in one call: ten users with a thousand readings a day, which is a
# worker's batch, then fit into its memory. A test measures it.
BACKFILL_WINDOW = timedelta(days=10)
# A history is ninety days and the moment that storing the tokens took.
REST_MIN = timedelta(hours=1)
# What was uploaded before the last look may have been served only after it, three hours later as a rule.
SERVED_LATE_MAX = timedelta(hours=24)
# After a reconnection: how far before the last success late uploads are looked for.
LATE_UPLOADS_MAX = timedelta(days=30)


def poll_window(instants: Sequence[datetime], now: datetime) -> Window:
    """The window of an incremental sync, from the instants stored inside the horizon, in order."""
    horizon = now - POLL_HORIZON
    gaps = find_gaps(instants, horizon, now)
    start = gaps[0].start if gaps else now
    if instants:
        start = min(start, instants[-1] - OVERLAP)
    return max(start, horizon), now + AHEAD


def next_backfill_window(backfill: Backfill) -> Window | None:
    """The newest part of the history that is not stored yet; None when all of it is."""
    if backfill.done:
        return None
    return _newest_part(backfill.start, backfill.reached), backfill.reached


def newest_first(window: Window) -> Iterator[Window]:
    """A window in parts the provider answers in one call, without a gap or an overlap."""
    start, end = window
    while end > start:
        first = _newest_part(start, end)
        yield first, end
        end = first


def _newest_part(start: datetime, end: datetime) -> datetime:
    """Where the newest part begins that one call is made for; a rest not worth a call of its own is in it."""
    return start if end - start < BACKFILL_WINDOW + REST_MIN else end - BACKFILL_WINDOW


def reconcile_window(uploaded_from: datetime | None, history_from: datetime, now: datetime) -> Window:
    """The last three days, and as far back as something was uploaded since the last reconciliation."""
    start = now - RECONCILE_HORIZON
    if uploaded_from:
        start = min(start, max(uploaded_from, history_from))
    return start, now + AHEAD


def uploads_unseen_since(state: SyncState) -> datetime:
    """Everything uploaded before this was seen by the last reconciliation, or is history."""
    return (state.reconciled_at or state.begun_at) - SERVED_LATE_MAX


def history_after_reconnecting(known: SyncState, history_from: datetime) -> datetime:
    """Where the history of somebody who was here before has to start again."""
    if known.last_success_at is None or not known.backfill.done:
        return min(known.backfill.start, history_from)
    return max(known.last_success_at - LATE_UPLOADS_MAX, history_from)
