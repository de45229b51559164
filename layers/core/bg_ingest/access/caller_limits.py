"""
How often one caller may do something: counted in windows of the clock, in the users table, for all instances.

    calls_max = 3      x x x refused refused | x x          |
                     --|---------------------|--------------|--> time
                       window 7              window 8

A window's count is an item of its own, so counting is one conditional write and nothing is ever reset. The
price of windows that are the same for everybody: around an edge a caller may get twice `calls_max` at once.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Table


@dataclass(frozen=True, slots=True)
class LimitPolicy:
    """So many calls in so many seconds, for each caller; the name is shown to them."""

    name: str
    calls_max: int
    window_s: int


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """Whether a call was within the limit, and what is left of it until it starts anew."""

    accepted: bool
    remaining: int
    resets_in_s: int  # Whole seconds, never 0: whoever waits that long is in the next window.


def window_of(policy: LimitPolicy, now: datetime) -> int:
    """The number of the window that `now` lies in; windows start at multiples of their length."""
    return int(now.timestamp() // policy.window_s)


def resets_in_s(policy: LimitPolicy, now: datetime) -> int:
    """How long until the next window has surely begun."""
    return math.ceil((window_of(policy, now) + 1) * policy.window_s - now.timestamp())


@dataclass(frozen=True, slots=True)
class CallerLimit:
    """One limit, and everybody's counts of it."""

    table: Table
    clock: Clock
    policy: LimitPolicy

    def take(self, actor: str) -> LimitStatus:
        """Count one call of this caller if it is within the limit."""
        # A request that botocore repeats because its answer got lost counts twice: the caller loses one
        # call, and never gets one too many.
        now = self.clock.now()
        window = window_of(self.policy, now)
        first = "attribute_not_exists(used)"
        within = "used < :max"
        write = self.table.update(
            self._key(actor),
            f"window#{window:012d}",
            "ADD used :one SET expires_at = :end",
            {":one": 1, ":max": self.policy.calls_max, ":end": (window + 1) * self.policy.window_s},
            f"{first} OR {within}",
        )
        used: int = write.item["used"] if write.accepted and write.item else self.policy.calls_max
        return LimitStatus(write.accepted, self.policy.calls_max - used, resets_in_s(self.policy, now))

    def _key(self, actor: str) -> str:
        # Only the hash: a count must not be one more place that says who uses this.
        return f"app#limit#{hashlib.sha256(f'{self.policy.name}/{actor}'.encode()).hexdigest()}"
