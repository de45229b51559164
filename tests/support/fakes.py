"""Fakes that several tests use; each obeys the contract of its original."""

from datetime import UTC, datetime, timedelta

from bg_ingest.clock import SystemClock

NOON = datetime(2026, 4, 26, 12, 0, tzinfo=UTC)


class FakeClock:
    """A clock that is advanced by the test; sleeping advances it and is recorded."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now
        self._monotonic_s = 0.0
        self.naps: list[float] = []

    def now(self) -> datetime:
        """The time that was set."""
        return self._now

    def monotonic_s(self) -> float:
        """The seconds that were slept or advanced."""
        return self._monotonic_s

    def sleep(self, wait_s: float) -> None:
        """Advance at once, and record the sleep."""
        self.naps.append(wait_s)
        self.advance(wait_s)

    def advance(self, elapsed_s: float) -> None:
        """Advance the clock."""
        self._now += timedelta(seconds=elapsed_s)
        self._monotonic_s += elapsed_s

    def set_back(self, step_s: float) -> None:
        """Set the time of day back, and leave the monotonic clock unchanged."""
        self._now -= timedelta(seconds=step_s)


class WaitlessClock(SystemClock):
    """The machine's clock; a wait moves it forward instead of taking time."""

    def __init__(self) -> None:
        self._waited_s = 0.0

    def now(self) -> datetime:
        """The time of day, with all waits."""
        return super().now() + timedelta(seconds=self._waited_s)

    def monotonic_s(self) -> float:
        """Seconds that never go back, with all waits."""
        return super().monotonic_s() + self._waited_s

    def sleep(self, wait_s: float) -> None:
        """Move forward."""
        self._waited_s += wait_s
