"""Hourly call quota of the application. A new hour of the clock starts from zero."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

CALLS_PER_HOUR_MAX = 60_000
_HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class QuotaExceeded:
    """A call was refused because the hour's calls are used up."""

    wait_s: int
    retry_after: bool  # Whether the response has a Retry-After header.


class CallQuota:
    """Counts the calls of the current hour."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls_max = CALLS_PER_HOUR_MAX
        self._retry_after = False
        self._hour = 0
        self._calls = 0

    def set_limit(self, calls_per_hour_max: int, *, retry_after: bool) -> None:
        """Allow that many calls an hour. The calls of the current hour stay counted."""
        with self._lock:
            self._calls_max, self._retry_after = calls_per_hour_max, retry_after

    def restore_limit(self) -> None:
        """Allow as many calls as Dexcom does."""
        self.set_limit(CALLS_PER_HOUR_MAX, retry_after=False)

    def count_call(self, now_s: int) -> QuotaExceeded | None:
        """Count one call; None if it is within the quota."""
        with self._lock:
            hour = now_s // _HOUR_S
            if hour != self._hour:
                self._hour, self._calls = hour, 0
            self._calls += 1
            if self._calls <= self._calls_max:
                return None
            return QuotaExceeded((hour + 1) * _HOUR_S - now_s, self._retry_after)

    def reset(self) -> None:
        """Start from zero, with Dexcom's own limit."""
        with self._lock:
            self._calls = 0
        self.restore_limit()
