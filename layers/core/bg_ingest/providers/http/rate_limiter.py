# The token bucket of one process, as one number: when the bucket is full again.
#
# Rule 1: a call takes one token; every `interval_s` one comes back, up to `calls_max`.
# Rule 2: who finds none is given the next one that will come back, and waits for it. Nobody overtakes.
# Rule 3: who would have to wait too long is told so and takes nothing.
# Rule 4: after a pause the bucket holds a single token: Dexcom has just said that we are too fast.
#
#     full_at_s = now                          all tokens are there
#     full_at_s = now + 3 intervals            three are taken
#     full_at_s = now + calls_max intervals    none is left: the next is had after one interval
"""Not faster than agreed: `calls_max` calls at once, and one per interval after that."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bg_ingest.clock import Clock


_NO_WAIT_S = 0.001  # What floats make of nothing at all.


@dataclass(frozen=True, slots=True)
class Reservation:
    """When a call may be made; if not granted, nothing was taken."""

    granted: bool
    wait_s: float


class RateLimiter(Protocol):
    """Whoever decides how fast this process calls."""

    def turn(self, wait_s_max: float) -> Reservation:
        """A turn within that time, to be waited for by the caller; or none."""
        ...

    def pause(self, asked_s: float | None) -> None:
        """Dexcom wants to be left alone: that long, if it says so."""
        ...


@dataclass(frozen=True, slots=True)
class RateRules:
    """How fast one process calls."""

    # Ten such processes stay at the documented 60,000 an hour.
    calls_max: int = 100
    period_s: float = 60.0
    # Eight callers can wait for their turn; the ninth goes back to the queue, where waiting is free.
    wait_s_max: float = 5.0
    # After a 429 that does not say how long; short enough that a retry still gets its turn.
    pause_s: float = 2.0
    # A 429 may be meant for one person; after a minute the others are worth another try.
    pause_s_max: float = 60.0

    @property
    def interval_s(self) -> float:
        """How long it takes for one token to come back."""
        return self.period_s / self.calls_max


@dataclass(frozen=True, slots=True)
class Bucket:
    """The tokens of one process."""

    rules: RateRules
    full_at_s: float = -math.inf

    def after_turn(self, now_s: float) -> tuple[Bucket, float]:
        """The bucket with one token less, and how long to wait for that token."""
        full_at_s = max(self.full_at_s, now_s) + self.rules.interval_s
        wait_s = full_at_s - self.rules.period_s - now_s
        return replace(self, full_at_s=full_at_s), wait_s if wait_s > _NO_WAIT_S else 0.0

    def after_pause(self, until_s: float) -> Bucket:
        """The bucket whose next token comes at `until_s`."""
        one_token_s = self.rules.period_s - self.rules.interval_s
        return replace(self, full_at_s=max(self.full_at_s, until_s + one_token_s))


class ProcessRateLimiter:
    """The bucket all threads of this process take from."""

    def __init__(self, clock: Clock, rules: RateRules | None = None) -> None:
        self._clock = clock
        self._lock = Lock()
        self._bucket = Bucket(rules or RateRules())

    def turn(self, wait_s_max: float) -> Reservation:
        """A turn within that time, and within the rules' own limit."""
        with self._lock:
            bucket, wait_s = self._bucket.after_turn(self._clock.monotonic_s())
            if wait_s > min(wait_s_max, self._bucket.rules.wait_s_max):
                return Reservation(granted=False, wait_s=wait_s)
            self._bucket = bucket
            return Reservation(granted=True, wait_s=wait_s)

    def pause(self, asked_s: float | None) -> None:
        """Nobody gets a turn for a while."""
        with self._lock:
            rules = self._bucket.rules
            pause_s = rules.pause_s if asked_s is None else min(asked_s, rules.pause_s_max)
            self._bucket = self._bucket.after_pause(self._clock.monotonic_s() + pause_s)
