"""
Which part of a user's history to fetch; pure functions.

Readings arrive late: by an hour as a rule, by three hours outside the US, by a day after a phone was out of
reach, by weeks from a receiver. So "since the newest we have" would lose every reading that arrives behind
it. A poll starts at the oldest gap instead:

        |<------------------- horizon -------------------->|
     ---|-o-o-o-o-o- - - - -o-o-o-o-o-o-o-o-o-o-o-o-o-o-o--|--> time
                   ^ the window starts here                now

If no reading is missing, the window starts a little before the newest one, so that revised values are seen.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bg_ingest.readings.gaps import find_gaps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bg_ingest.sync.state import Backfill, SyncState


Window = tuple[datetime, datetime]

# A phone uploads up to a day late. Later uploads are found by asking the provider what was uploaded since.
POLL_HORIZON = timedelta(hours=24)
# What each reconciliation reads again; another vendor re-reads three days of the same provider.
RECONCILE_HORIZON = timedelta(hours=72)
# The longest delay of the provider itself: values that are revised or filled in within it are seen, at the
# price of three dozen records and no further call.
OVERLAP = timedelta(hours=3)
# Device clocks run ahead. A reading one minute in the future must not wait for the next poll.
AHEAD = timedelta(minutes=10)
# A third of what the provider answers for in one call. A worker's batch of ten users with a thousand readings
# a day each then fits into its memory; a test measures it.
BACKFILL_WINDOW = timedelta(days=10)
# A rest shorter than this is added to the window before. A history is ninety days and the seconds that
# storing the tokens took.
REST_MIN = timedelta(hours=1)
# An upload shortly before the last reconciliation may have been served only after it, by three hours as a
# rule.
SERVED_LATE_MAX = timedelta(hours=24)
# After a reconnection: how far before the last success late uploads are looked for.
LATE_UPLOADS_MAX = timedelta(days=30)
# The sync item stays below a kilobyte, the size of one write unit. A poll starts at the oldest gap anyway.
GAPS_MAX = 8


@dataclass(frozen=True, slots=True)
class Covered:
    """
    What a poll has found out about the stored readings, kept in the sync item for the next poll.

        stored     o-o-o-o- - - -o-o-o-o-o- - -o-o-o-o
                   |       |     |         |   |     |
        known      |       +-gap-+         +gap+   newest
                   start of the poll's window; no reading is missing before it, back to the horizon

    The next poll finds the oldest gap without reading a day of hours. Fewer readings may be known here than
    are stored, for example after a webhook. There must never be more, or a gap waits for the next
    reconciliation:

    - The poll has stored all these readings before its end writes this, and the end names the fence.
    - A poll with rejected records leaves nothing here: their hours may not have stored what was fetched.
    - A login, the end of polling, an erasure, a restore and each sync without a finished poll remove it.
      Then the next poll reads the hours.
    """

    newest: datetime
    gaps: tuple[tuple[datetime, datetime], ...] = ()  # Each with its start and end, oldest first.

    @classmethod
    def after_poll(cls, window: tuple[datetime, datetime], fetched: Iterable[datetime]) -> Covered | None:
        """The result of a poll that has stored what it fetched for this window; None without readings."""
        start, end = window
        known = sorted(at for at in fetched if start <= at < end)
        if not known:
            return None
        gaps = [(gap.start, gap.end) for gap in find_gaps(known, start, known[-1] + timedelta.resolution)]
        if len(gaps) > GAPS_MAX:
            gaps = [(gaps[0][0], gaps[-GAPS_MAX][1]), *gaps[1 - GAPS_MAX :]]
        return cls(known[-1], tuple(gaps))

    def oldest_gap(self, since: datetime) -> datetime | None:
        """The start of the oldest gap that reaches beyond this time."""
        return next((start for start, end in self.gaps if end > since), None)

    def to_bytes(self) -> bytes:
        """Four bytes for each instant: seconds since 1970."""
        instants = (self.newest, *(edge for gap in self.gaps for edge in gap))
        return struct.pack(f">{len(instants)}I", *(int(at.timestamp()) for at in instants))

    @classmethod
    def from_bytes(cls, stored: bytes) -> Covered:
        """Read what `to_bytes` wrote."""
        newest, *edges = (
            datetime.fromtimestamp(seconds, UTC) for (seconds,) in struct.iter_unpack(">I", stored)
        )
        return cls(newest, tuple(zip(edges[::2], edges[1::2], strict=True)))


def poll_window(instants: Sequence[datetime], now: datetime) -> Window:
    """The window of a poll, from the sorted instants of the readings stored within the horizon."""
    horizon = now - POLL_HORIZON
    gaps = find_gaps(instants, horizon, now)
    start = gaps[0].start if gaps else now
    if instants:
        start = min(start, instants[-1] - OVERLAP)
    return max(start, horizon), now + AHEAD


def window_after(covered: Covered, now: datetime) -> Window:
    """The window of a poll, from what the poll before has left."""
    horizon = now - POLL_HORIZON
    start = covered.newest - OVERLAP
    oldest_gap = covered.oldest_gap(horizon)
    if oldest_gap:
        start = min(start, oldest_gap)
    return max(start, horizon), now + AHEAD


def next_backfill_window(backfill: Backfill) -> Window | None:
    """The newest part of the history that is not stored yet; None when all of it is."""
    if backfill.done:
        return None
    return _newest_part(backfill.start, backfill.reached), backfill.reached


def newest_first(window: Window) -> Iterator[Window]:
    """A window in parts of one call each, newest first, without a gap or an overlap."""
    start, end = window
    while end > start:
        first = _newest_part(start, end)
        yield first, end
        end = first


def reconcile_window(uploaded_from: datetime | None, history_from: datetime, now: datetime) -> Window:
    """The last three days, and back to the oldest reading uploaded since the last reconciliation."""
    start = now - RECONCILE_HORIZON
    if uploaded_from:
        start = min(start, max(uploaded_from, history_from))
    return start, now + AHEAD


def uploads_unseen_since(state: SyncState) -> datetime:
    """The instant before which every upload was seen by a reconciliation, or is part of the history."""
    return (state.reconciled_at or state.connected_at) - SERVED_LATE_MAX


def history_after_reconnecting(known: SyncState, history_from: datetime) -> datetime:
    """Where the history of a user who was connected before has to start again."""
    if known.last_success_at is None or not known.backfill.done:
        return min(known.backfill.start, history_from)
    return max(known.last_success_at - LATE_UPLOADS_MAX, history_from)


def _newest_part(start: datetime, end: datetime) -> datetime:
    """The start of the newest part that one call is made for; a short rest is included."""
    return start if end - start < BACKFILL_WINDOW + REST_MIN else end - BACKFILL_WINDOW
