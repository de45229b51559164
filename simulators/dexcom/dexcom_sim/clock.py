"""
The clock of the simulator.

All code takes a `TimeSource`. Only `MachineTime` reads the real time, so a test can pass a clock of its own.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Protocol


class TimeSource(Protocol):
    """A source of the current time, and a way to wait."""

    def now(self) -> datetime:
        """The current time, with the zone UTC."""
        ...

    def sleep(self, wait_s: float) -> None:
        """Wait that many seconds."""
        ...


class MachineTime:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The current time, with the zone UTC."""
        return datetime.now(UTC)  # noqa: TID251 - the one place of the simulator that reads the time.

    def sleep(self, wait_s: float) -> None:
        """Wait that many seconds."""
        time.sleep(wait_s)  # noqa: TID251 - the one place of the simulator that waits.


class AdjustableClock:
    """A clock that runs at the speed of another clock, at an offset that can be changed."""

    def __init__(self, base: TimeSource) -> None:
        self._base = base
        self._offset = timedelta()
        self._lock = Lock()

    @property
    def offset_s(self) -> float:
        """Seconds ahead of the other clock."""
        return self._offset.total_seconds()

    def now(self) -> datetime:
        """The simulated time."""
        return self._base.now() + self._offset

    def sleep(self, wait_s: float) -> None:
        """Wait on the other clock."""
        self._base.sleep(wait_s)

    def move_to(self, now: datetime) -> None:
        """Set the time. The clock continues from there."""
        self.set_offset((now - self._base.now()).total_seconds())

    def advance(self, elapsed_s: float) -> None:
        """Move the time forward; a negative number moves it back."""
        with self._lock:
            self._offset += timedelta(seconds=elapsed_s)

    def set_offset(self, offset_s: float) -> None:
        """Set how many seconds the clock is ahead of the other clock."""
        with self._lock:
            self._offset = timedelta(seconds=offset_s)
