"""The time of the simulator: the system's, or a test's."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class TimeSource(Protocol):
    """What the simulator needs of a clock."""

    def now(self) -> datetime:
        """The current time, with a zone."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        ...


class SystemTime:
    """The clock of this machine."""

    def now(self) -> datetime:
        """The current time."""
        return datetime.now(UTC)  # noqa: TID251 - the clock of this program.

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)  # noqa: TID251 - the clock of this program.


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970, Nightscout's form of an instant."""
    return round(instant.timestamp() * 1000)


def iso(ms: int) -> str:
    """2026-02-06T09:12:35.000Z."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"
