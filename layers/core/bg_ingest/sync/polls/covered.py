"""
What a poll has found out about the stored readings, kept in the sync item for the next poll.

    stored     o-o-o-o- - - -o-o-o-o-o- - -o-o-o-o
               |       |     |         |   |     |
    known      |       +-gap-+         +gap+   newest
               start of the poll's window; no reading is missing before it, back to the horizon

The next poll finds the oldest gap without reading a day of hours. Fewer readings may be known here than are
stored, for example after a webhook. There must never be more, or a gap waits for the next reconciliation:

- The poll has stored all these readings before its release writes this, and the release names the fence.
- A poll with rejected records leaves nothing here: their hours may not have stored what was fetched.
- A login, the end of polling, an erasure, a restore and each release without a finished poll remove it. Then
  the next poll reads the hours.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bg_ingest.readings.gaps import find_gaps

if TYPE_CHECKING:
    from collections.abc import Iterable

# The sync item stays below a kilobyte, the size of one write unit. A poll starts at the oldest gap anyway.
GAPS_MAX = 8


@dataclass(frozen=True, slots=True)
class Covered:
    """The newest reading, and the gaps before it as start and end, oldest first."""

    newest: datetime
    gaps: tuple[tuple[datetime, datetime], ...] = ()

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
