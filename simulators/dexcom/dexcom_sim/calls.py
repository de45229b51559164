"""Log of the calls to the simulator: counts, and the newest calls one by one. It contains no secret."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

RECENT_CALLS_MAX = 200


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """One request. Of its query only the dates are logged."""

    at: str
    method: str
    path: str
    user: str | None
    status: int | None  # None: the connection was closed before any response.
    query: str = ""
    faults: tuple[str, ...] = ()


class CallLog:
    """Counts every call by user, path, status and fault, and keeps the newest 200."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._faults: Counter[str] = Counter()
        self._recent: deque[LoggedCall] = deque(maxlen=RECENT_CALLS_MAX)

    def add(self, call: LoggedCall) -> None:
        """Log one call."""
        status = "dropped" if call.status is None else str(call.status)
        with self._lock:
            self._counts[call.user or "unknown", call.path, status] += 1
            self._recent.append(call)
            self._faults.update(call.faults)

    def clear(self) -> None:
        """Remove everything from the log."""
        with self._lock:
            self._counts.clear()
            self._faults.clear()
            self._recent.clear()

    def report(self) -> dict[str, Any]:
        """All counts, and the recent calls, newest first."""
        with self._lock:
            by_user: dict[str, dict[str, dict[str, int]]] = {}
            for (user, path, status), count in sorted(self._counts.items()):
                by_user.setdefault(user, {}).setdefault(path, {})[status] = count
            return {
                "total": self._counts.total(),
                "by_user": by_user,
                "by_path": self._sums_by(1),
                "by_status": self._sums_by(2),
                "by_fault": dict(sorted(self._faults.items())),
                "recent": [asdict(call) for call in reversed(self._recent)],
            }

    def _sums_by(self, key_index: int) -> dict[str, int]:
        sums: Counter[str] = Counter()
        for key, count in self._counts.items():
            sums[key[key_index]] += count
        return dict(sorted(sums.items()))
