"""Small working stand-ins; each obeys the contract of the thing it stands for."""

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 4, 26, 12, 0, tzinfo=UTC)


class FakeClock:
    """A clock that moves only when told to; sleeping moves it and is remembered."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now
        self._monotonic_s = 0.0
        self.naps: list[float] = []

    def now(self) -> datetime:
        """The time it was set to."""
        return self._now

    def monotonic_s(self) -> float:
        """Seconds slept or advanced so far."""
        return self._monotonic_s

    def sleep(self, wait_s: float) -> None:
        """Advance at once, and remember having slept."""
        self.naps.append(wait_s)
        self.advance(wait_s)

    def advance(self, elapsed_s: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=elapsed_s)
        self._monotonic_s += elapsed_s

    def set_back(self, step_s: float) -> None:
        """Set the time of day; what is monotonic does not notice."""
        self._now -= timedelta(seconds=step_s)
