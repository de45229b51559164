"""The simulated world's time: another clock's, moved."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bg_ingest.clock import Clock


class MovedClock:
    """A clock that runs like another one, but can be set; Dexcom's day then differs from ours."""

    def __init__(self, base: Clock) -> None:
        self._base = base
        self._offset = timedelta()
        self._lock = Lock()

    @property
    def offset_s(self) -> float:
        """How far ahead of the other clock."""
        return self._offset.total_seconds()

    def now(self) -> datetime:
        """The time in the simulated world."""
        return self._base.now() + self._offset

    def monotonic_s(self) -> float:
        """Seconds that never go back, whatever the clock was set to."""
        return self._base.monotonic_s()

    def sleep(self, wait_s: float) -> None:
        """Wait as the other clock waits."""
        self._base.sleep(wait_s)

    def move_to(self, now: datetime) -> None:
        """Set the time; it runs on from there."""
        self.offset_by((now - self._base.now()).total_seconds())

    def advance(self, elapsed_s: float) -> None:
        """Let time pass at once; a negative number takes it back."""
        with self._lock:
            self._offset += timedelta(seconds=elapsed_s)

    def offset_by(self, offset_s: float) -> None:
        """Be that far ahead of the other clock."""
        with self._lock:
            self._offset = timedelta(seconds=offset_s)
