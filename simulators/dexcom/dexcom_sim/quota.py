"""How many calls the application may make in an hour of the clock."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

CALLS_PER_HOUR_MAX = 60_000
_HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class QuotaExceeded:
    """The hour's calls are used up."""

    wait_s: int
    retry_after: bool  # Whether the caller is told how long to wait.


class Quota:
    """Counts the calls of the hour that runs; a new hour starts from zero."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls_max = CALLS_PER_HOUR_MAX
        self._retry_after = False
        self._hour = 0
        self._calls = 0

    def limit(self, calls_per_hour_max: int, *, retry_after: bool) -> None:
        """Allow that many from now on, those already made in this hour included."""
        with self._lock:
            self._calls_max, self._retry_after = calls_per_hour_max, retry_after

    def lift(self) -> None:
        """Back to what Dexcom allows."""
        self.limit(CALLS_PER_HOUR_MAX, retry_after=False)

    def call(self, now_s: int) -> QuotaExceeded | None:
        """Count one call; says so when it is one too many."""
        with self._lock:
            hour = now_s // _HOUR_S
            if hour != self._hour:
                self._hour, self._calls = hour, 0
            self._calls += 1
            if self._calls <= self._calls_max:
                return None
            return QuotaExceeded((hour + 1) * _HOUR_S - now_s, self._retry_after)

    def forget(self) -> None:
        """Nothing was called yet."""
        with self._lock:
            self._calls = 0
        self.lift()
