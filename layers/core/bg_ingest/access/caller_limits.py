"""
Rate limits per caller, counted in fixed windows in the users table, for all processes together.

    calls_max = 3      x x x refused refused | x x          |
                     --|---------------------|--------------|--> time
                       window 7              window 8

Each window's count is an item of its own, so counting is one conditional write and nothing is ever reset. The
price of fixed windows: around an edge a caller can make twice `calls_max` calls at once.
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
    """At most so many calls in so many seconds per caller; callers see the name."""

    name: str
    calls_max: int
    window_s: int


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """Whether a call was within the limit, and what is left of it."""

    accepted: bool
    remaining: int
    resets_in_s: int  # Whole seconds, never 0: after that wait the next window has begun.


def window_of(policy: LimitPolicy, now: datetime) -> int:
    """The number of the current window; windows start at multiples of their length."""
    return int(now.timestamp() // policy.window_s)


def resets_in_s(policy: LimitPolicy, now: datetime) -> int:
    """Seconds until the next window has certainly begun."""
    return math.ceil((window_of(policy, now) + 1) * policy.window_s - now.timestamp())


@dataclass(frozen=True, slots=True)
class CallerLimit:
    """One limit and its counts."""

    table: Table
    clock: Clock
    policy: LimitPolicy

    def take(self, actor: str) -> LimitStatus:
        """Count one call of this caller if it is within the limit."""
        # botocore repeats a request whose response was lost, and then it counts twice: the caller loses one
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
        # A hash: a count must not reveal which callers use this service.
        return f"app#limit#{hashlib.sha256(f'{self.policy.name}/{actor}'.encode()).hexdigest()}"
