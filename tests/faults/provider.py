"""A provider of many users whose phones upload an hour late, and which can be down."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.providers.errors import Unavailable
from bg_ingest.providers.seam import Fetched, Span
from bg_ingest.readings.model import Device, Reading
from tests.support.fakes import NOON

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tests.support.fakes import FakeClock

# The history begins at midnight, so only whole days are counted.
EVERY, UPLOADED_AFTER = timedelta(minutes=5), timedelta(hours=1)
HISTORY = timedelta(hours=36)
_PHONE = Device("g7", "iOS", "G7", "transmitter")


@dataclass
class Provider:
    """Every user has a reading every five minutes, with seconds and values of their own."""

    clock: FakeClock
    down: bool = False
    calls: int = 0
    _begins: datetime = field(default=NOON - HISTORY)

    def readings(self, user_id: str, start: datetime, end: datetime) -> Fetched:
        """Return the uploaded readings of `[start, end)`."""
        self._called()
        return Fetched(tuple(one for one in self.visible(user_id) if start <= one.at < end))

    def uploaded_since(self, user_id: str, since: datetime) -> Span | None:
        """Return the range of readings uploaded since then."""
        self._called()
        new = [one.at for one in self.visible(user_id) if one.at + UPLOADED_AFTER > since]
        return Span(new[0], new[-1]) if new else None

    def visible(self, user_id: str) -> Iterator[Reading]:
        """Return all uploaded readings, in order."""
        number = int(user_id.rpartition("-")[2])
        at, ticks = self._begins + timedelta(seconds=number % 300), 0
        while at + UPLOADED_AFTER <= self.clock.now():
            mg_dl = 60 + (number + ticks) % 300
            yield Reading(at, mg_dl, "flat", device=_PHONE, transmitter_ticks=ticks * 300)
            at, ticks = at + EVERY, ticks + 1

    def _called(self) -> None:
        self.calls += 1
        if self.down:
            raise Unavailable("503")
