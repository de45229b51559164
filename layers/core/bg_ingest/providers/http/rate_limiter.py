# Token bucket of one process, stored as one number: the time at which the bucket is full again.
#
# Rule 1: A call takes one token. One token comes back per `interval_s`, up to `calls_max` tokens.
# Rule 2: If the bucket is empty, the call gets the next token that comes back, and waits for it. Calls get
#         tokens in the order in which they ask.
# Rule 3: If the wait would exceed the limit, the call is refused and takes no token.
# Rule 4: After a pause the bucket holds one token, because the provider has just answered 429.
#
#     full_at_s = now                          the bucket is full
#     full_at_s = now + 3 intervals            three tokens are taken
#     full_at_s = now + calls_max intervals    the bucket is empty: the next token comes after one interval
"""Rate limiter: `calls_max` calls at once, then one call per interval."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bg_ingest.clock import Clock


_NO_WAIT_S = 0.001  # A shorter wait is a rounding error of floats.


@dataclass(frozen=True, slots=True)
class Reservation:
    """When a call can be made; a refused call has taken no token."""

    granted: bool
    wait_s: float


@dataclass(frozen=True, slots=True)
class RateRules:
    """The limits of a rate limiter."""

    # Ten processes at this rate make 60,000 calls an hour, the quota of the application (quota.py).
    calls_max: int = 100
    period_s: float = 60.0
    # Eight callers can wait at a time. The ninth goes back to the queue, where waiting costs nothing.
    wait_s_max: float = 5.0
    # After a 429 without Retry-After. Short enough for the retry to be granted within `wait_s_max`.
    pause_s: float = 2.0
    # A 429 may concern one account only, so calls for the others are tried again after a minute.
    pause_s_max: float = 60.0

    @property
    def interval_s(self) -> float:
        """How long it takes until one token comes back."""
        return self.period_s / self.calls_max


@dataclass(frozen=True, slots=True)
class Bucket:
    """The tokens of one process."""

    rules: RateRules
    full_at_s: float = -math.inf

    def after_reservation(self, now_s: float) -> tuple[Bucket, float]:
        """The bucket with one token less, and how long to wait for that token."""
        full_at_s = max(self.full_at_s, now_s) + self.rules.interval_s
        wait_s = full_at_s - self.rules.period_s - now_s
        return replace(self, full_at_s=full_at_s), wait_s if wait_s > _NO_WAIT_S else 0.0

    def after_pause(self, until_s: float) -> Bucket:
        """The bucket whose next token comes at `until_s`."""
        one_token_s = self.rules.period_s - self.rules.interval_s
        return replace(self, full_at_s=max(self.full_at_s, until_s + one_token_s))


class RateLimiter:
    """Rate limiter with one bucket for all threads of this process."""

    def __init__(self, clock: Clock, rules: RateRules | None = None) -> None:
        self._clock = clock
        self._lock = Lock()
        self._bucket = Bucket(rules or RateRules())

    def reserve(self, wait_s_max: float) -> Reservation:
        """Reserve a call within this time and `RateRules.wait_s_max`; the caller waits for `wait_s`."""
        with self._lock:
            bucket, wait_s = self._bucket.after_reservation(self._clock.monotonic_s())
            if wait_s > min(wait_s_max, self._bucket.rules.wait_s_max):
                return Reservation(granted=False, wait_s=wait_s)
            self._bucket = bucket
            return Reservation(granted=True, wait_s=wait_s)

    def pause(self, asked_s: float | None) -> None:
        """Grant no call for the time that a 429 asks for, or for `RateRules.pause_s` if it is None."""
        with self._lock:
            rules = self._bucket.rules
            pause_s = rules.pause_s if asked_s is None else min(asked_s, rules.pause_s_max)
            self._bucket = self._bucket.after_pause(self._clock.monotonic_s() + pause_s)
