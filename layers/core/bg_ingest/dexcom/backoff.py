# How long to wait before the next attempt.
#
# Rule 1: who fails together must not come back together: any wait up to the limit is as likely as any other
#         ("full jitter"), and the limit doubles with every attempt.
# Rule 2: what Dexcom asks for in Retry-After is waited exactly, or not at all: never less.
#
#     attempt     1         2             3                   4
#     limit       0.5       1.0           2.0                 4.0 ... wait_s_max
#                 |-|       |---|         |-------|           |---------------|
#                 a random point of each
"""Exponential backoff with full jitter, and Retry-After before it."""

from __future__ import annotations

from dataclasses import dataclass

_DOUBLINGS_MAX = 60  # Beyond it the power is only a large number.


@dataclass(frozen=True, slots=True)
class Backoff:
    """The waits between the attempts of one call."""

    # A dropped connection is worth trying again at once; half a second is at once.
    first_s: float = 0.5
    wait_s_max: float = 8.0
    # A worker that sleeps costs money and holds a lease; what takes longer goes back to the queue.
    asked_s_max: float = 10.0

    def wait_s(self, attempt: int, jitter: float, asked_s: float | None = None) -> float | None:
        """The wait after that many attempts; None if waiting is not for us, but for the queue."""
        assert attempt >= 1  # noqa: S101 - only a bug could break it.
        assert 0.0 <= jitter < 1.0  # noqa: S101 - likewise.
        if asked_s is not None:
            return asked_s if asked_s <= self.asked_s_max else None
        doubled_s: float = self.first_s * 2 ** min(attempt - 1, _DOUBLINGS_MAX)
        return jitter * min(self.wait_s_max, doubled_s)
