"""
The hour's budget of calls, which every process of the application draws from.

Dexcom counts calls per application and hour and knows nothing of our processes, so the count is one item
for each hour. Asking it before every call would add a write to each, so a process takes a *block* of calls
with one conditional write and spends it from memory:

      taken                                   budget
    --|--------|---|---|--|--|-|-|-|-|-|-|-|-|| refused until the next hour
      | block  |         ever smaller        |

Rule 1: what is taken is at most the budget. The condition says so, nothing else is needed.
Rule 2: what is taken and not spent is lost at the end of the hour, so a block is never larger than a share
        of the waste that is allowed, nor than what this process has spent so far, and shrinks with what
        is left.
Rule 3: nothing is carried into the next hour.

Where Dexcom's hour begins is not documented. If it is not the clock's, its 429 says so and we wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Table

PK = "app#quota"
HOUR = timedelta(hours=1)
KEPT_FOR = timedelta(days=7)  # Long enough to look at last night's numbers; DynamoDB's TTL removes it.


@dataclass(frozen=True, slots=True)
class Budget:
    """What the application may ask of Dexcom in an hour, and how finely it is divided."""

    calls_per_hour: int = 60_000  # Documented by Dexcom.
    # How many processes draw at once; more of them are as safe, they only leave more unspent.
    sharers: int = 50
    # At most this share of the budget may be lost in blocks that nobody spends.
    waste_max: float = 0.05

    @property
    def block_max(self) -> int:
        """The largest block: even if every sharer leaves one, but for a call, the waste stays allowed."""
        return max(1, int(self.calls_per_hour * self.waste_max / self.sharers))

    def block(self, taken: int, spent_here: int) -> int:
        """How many calls to take when `taken` are gone and this process spent `spent_here` of them."""
        # Starting with one and doubling: a process that makes three calls an hour must not sit on sixty.
        earned = 1 + spent_here
        fair = (self.calls_per_hour - taken) // (2 * self.sharers)
        return max(1, min(self.block_max, earned, fair))


class HourlyQuota:
    """This process's hand on the shared budget; thread-safe."""

    def __init__(
        self,
        table: Table,
        clock: Clock,
        budget: Budget | None = None,
        *,
        observe: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`observe` is told how much of the budget is taken, from 0 to 1, whenever this process looks."""
        self._table = table
        self._clock = clock
        self._budget = budget or Budget()
        self._observe = observe
        # Held while a block is fetched, so that 32 threads that run dry together fetch one.
        self._lock = Lock()
        self._hour: datetime | None = None
        self._in_hand = 0
        self._spent_here = 0
        self._taken = 0  # By all processes, as far as this one knows.

    def take(self) -> float:
        """Zero if one call may be made now, else the seconds until the budget is renewed."""
        now = self._clock.now()
        hour = now.replace(minute=0, second=0, microsecond=0)
        with self._lock:
            if hour != self._hour:
                self._hour, self._in_hand, self._spent_here, self._taken = hour, 0, 0, 0
            if self._in_hand == 0:
                self._in_hand = self._fetch(hour)
            if self._in_hand == 0:
                return (hour + HOUR - now).total_seconds()
            self._in_hand -= 1
            self._spent_here += 1
            return 0.0

    def _fetch(self, hour: datetime) -> int:
        if self._taken >= self._budget.calls_per_hour:
            return 0  # Known to be spent: no write until the next hour.
        wanted = self._budget.block(self._taken, self._spent_here)
        # A refusal tells how much is gone. If a single call is refused as well, nothing is left: others
        # can only have taken more in between.
        for block in (wanted, 1):
            if self._taken_from(hour, block):
                return block
        return 0

    def _taken_from(self, hour: datetime, block: int) -> bool:
        untouched = "attribute_not_exists(taken)"
        enough_left = "taken <= :last"
        write = self._table.update(
            PK,
            f"{hour:%Y-%m-%dT%H}",
            "ADD taken :block SET expires_at = :expires_at",
            {
                ":block": block,
                ":last": self._budget.calls_per_hour - block,
                ":expires_at": int((hour + KEPT_FOR).timestamp()),
            },
            f"{untouched} OR {enough_left}",
        )
        assert write.item is not None  # noqa: S101 - taken or refused, there is an item.
        self._taken = write.item["taken"]
        self._observe(self._taken / self._budget.calls_per_hour)
        return write.accepted
