"""Waiting for something to become true, with an end to the patience."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.clock import Clock, SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_EVERY_S = 0.1


def wait_until(holds: Callable[[], bool], wait_s_max: float, clock: Clock | None = None) -> bool:
    """Look until it holds; False when it has not by then."""
    clock = clock or SystemClock()
    deadline_s = clock.monotonic_s() + wait_s_max
    while not holds():
        if clock.monotonic_s() > deadline_s:
            return False
        clock.sleep(_LOOK_EVERY_S)
    return True
