"""The only place that reads the time or waits; everything else is handed a Clock."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the time is, and a way to wait that tests can take over."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC; it may step."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never go back; only differences mean something."""
        ...

    def sleep(self, wait_s: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the one place.

    def monotonic_s(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()  # noqa: TID251 - this is the one place.

    def sleep(self, wait_s: float) -> None:
        """Wait."""
        time.sleep(wait_s)  # noqa: TID251 - this is the one place.
