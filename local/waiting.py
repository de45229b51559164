"""Waiting for a condition, with a time limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.clock import Clock, SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

_CHECK_EVERY_S = 0.1


def wait_until(
    holds: Callable[[], bool],
    wait_s_max: float,
    clock: Clock | None = None,
    every_s: float = _CHECK_EVERY_S,
) -> bool:
    """Check until the condition holds; return False if it does not hold within the limit."""
    clock = clock or SystemClock()
    deadline_s = clock.monotonic_s() + wait_s_max
    while not holds():
        if clock.monotonic_s() > deadline_s:
            return False
        clock.sleep(every_s)
    return True
