"""
Rate limits per caller, counted in fixed windows in the intake table, for all processes together.

    calls_max = 3      x x x refused refused | x x          |
                     --|---------------------|--------------|--> time
                       window 7              window 8

Each window's count is an item of its own, so counting is one conditional write and nothing is ever reset. The
price of fixed windows: around an edge a caller can make twice `calls_max` calls at once.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Table

_REMEMBERED_MAX = 10_000  # Refused callers that one process remembers.


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
    """One limit and its counts; a process remembers who is refused, so a further refusal costs no write."""

    table: Table
    clock: Clock
    policy: LimitPolicy
    _refused: dict[str, int] = field(default_factory=dict, repr=False, compare=False)  # The window, by actor.

    def take(self, actor: str) -> LimitStatus:
        """Count one call of this caller if it is within the limit."""
        # The client repeats a request whose response was lost, and then it counts twice: the caller loses one
        # call, and never gets one too many.
        now = self.clock.now()
        window = window_of(self.policy, now)
        if self._refused.get(actor) == window:
            return LimitStatus(accepted=False, remaining=0, resets_in_s=resets_in_s(self.policy, now))
        first = "attribute_not_exists(used)"
        within = "used < :max"
        write = self.table.update(
            self._key(actor),
            f"window#{window:012d}",
            "ADD used :one SET expires_at = :end",
            {":one": 1, ":max": self.policy.calls_max, ":end": (window + 1) * self.policy.window_s},
            f"{first} OR {within}",
        )
        if not write.accepted:
            self._remember(actor, window)
        used: int = write.item["used"] if write.accepted and write.item else self.policy.calls_max
        return LimitStatus(write.accepted, self.policy.calls_max - used, resets_in_s(self.policy, now))

    def _remember(self, actor: str, window: int) -> None:
        if len(self._refused) >= _REMEMBERED_MAX:
            self._refused.clear()
        self._refused[actor] = window

    def exceeded(self, actor: str) -> LimitStatus | None:
        """The status of a caller whose calls of this window are used up; None for every other caller."""
        now = self.clock.now()
        count = self.table.get(self._key(actor), f"window#{window_of(self.policy, now):012d}")
        if count is None or count["used"] < self.policy.calls_max:
            return None
        return LimitStatus(accepted=False, remaining=0, resets_in_s=resets_in_s(self.policy, now))

    def _key(self, actor: str) -> str:
        # A hash: a count must not reveal which callers use this service.
        return f"app#limit#{hashlib.sha256(f'{self.policy.name}/{actor}'.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class WriteLimits:
    """The limit of each route that writes; a route without one of its own shares the default."""

    default: CallerLimit
    by_route: Mapping[str, CallerLimit] = field(default_factory=dict)

    def of(self, route: str) -> CallerLimit:
        """The limit of a route, such as "POST /api/bg/{userId}/sync"."""
        return self.by_route.get(route, self.default)
