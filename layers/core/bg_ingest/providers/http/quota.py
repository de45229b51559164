"""
Hourly quota of calls, shared by all processes of the application.

A provider limits the calls of an application per hour, however many processes make them. The count is one
DynamoDB item per hour. To avoid a write per call, a process takes a block of calls with one conditional
write and spends it from memory:

      taken                                   calls_per_hour
    --|--------|---|---|--|--|-|-|-|-|-|-|-|-|| refused until the next hour
      | block  |   blocks get smaller        |

Rule 1: The condition of the write keeps the calls taken within the quota.
Rule 2: A call that is taken and not spent is lost at the end of the hour. A block is therefore at most a
        fixed share of the quota, and smaller if less of the quota is left. It is at most one more than this
        process has spent in this hour, or than half of what it spent in the hour before.
Rule 3: Unspent calls are not carried into the next hour.
Rule 4: If the item cannot be written, then this process spends its own fair share without a write, and adds
        it to the item later. If it has spent that as well, then calls are refused for `retry_s`.

The provider's hour may begin at another minute than ours. Then it answers 429, and the call waits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Table

PK = "app#quota"
HOUR = timedelta(hours=1)
KEPT_FOR = timedelta(days=7)  # For operators; then DynamoDB's TTL removes the item.


@dataclass(frozen=True, slots=True)
class QuotaRules:
    """The calls of one hour, and how they are divided into blocks."""

    calls_per_hour: int = 60_000  # The documented limit of the provider.
    # How many processes take blocks at once. With more processes, more calls may stay unspent.
    sharers: int = 50
    # The largest share of the quota that may be lost in unspent blocks.
    waste_max: float = 0.05

    @property
    def block_max(self) -> int:
        """The largest block: if every process loses one, the loss stays within `waste_max`."""
        return max(1, int(self.calls_per_hour * self.waste_max / self.sharers))

    # After a failed write. A throttled item recovers in seconds, and each attempt delays one call.
    retry_s: float = 10.0

    @property
    def owed_max(self) -> int:
        """How many calls one process may make in an hour before it has written them."""
        return max(1, self.calls_per_hour // self.sharers)

    def block(self, taken: int, spent_here: int) -> int:
        """The size of the next block, if all processes have taken `taken` and this one spent `spent_here`."""
        # Blocks start with one call and double: a process with three calls an hour must not keep sixty.
        earned = 1 + spent_here
        fair = (self.calls_per_hour - taken) // (2 * self.sharers)
        return max(1, min(self.block_max, earned, fair))


class HourlyQuota:
    """This process's part of the shared quota; thread-safe."""

    def __init__(
        self,
        table: Table,
        clock: Clock,
        rules: QuotaRules | None = None,
        *,
        observe: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`observe` gets the percentage of the quota that is taken, after each write."""
        self._table = table
        self._clock = clock
        self._rules = rules or QuotaRules()
        self._observe = observe
        self._spent_before = 0  # Here, in the hour before.
        # Held while a block is taken, so that 32 threads without calls take one block together.
        self._lock = Lock()
        self._hour: datetime | None = None
        self._block_left = 0
        self._spent_here = 0
        self._taken = 0  # By all processes, as of the last write.
        self._owed = 0  # Spent here without a write (rule 4).
        self._write_from_s = -math.inf  # No write before this time.

    def take(self) -> float:
        """Spend one call and return 0; if none is left, return the seconds until the quota is renewed."""
        now = self._clock.now()
        hour = now.replace(minute=0, second=0, microsecond=0)
        with self._lock:
            if hour != self._hour:
                follows = self._hour is not None and hour - self._hour == HOUR
                self._spent_before = self._spent_here if follows else 0
                self._hour, self._block_left, self._spent_here, self._taken = hour, 0, 0, 0
                self._owed = 0
            if self._block_left == 0:
                try:
                    self._block_left = self._take_block(hour)
                except (BotoCoreError, ClientError):
                    self._write_from_s = self._clock.monotonic_s() + self._rules.retry_s
            if self._block_left == 0 and self._clock.monotonic_s() < self._write_from_s:
                if self._owed >= self._rules.owed_max:
                    return self._rules.retry_s
                self._owed += 1
                self._block_left = 1
            if self._block_left == 0:
                return (hour + HOUR - now).total_seconds()
            self._block_left -= 1
            self._spent_here += 1
            return 0.0

    def _take_block(self, hour: datetime) -> int:
        if self._taken >= self._rules.calls_per_hour or self._clock.monotonic_s() < self._write_from_s:
            return 0  # The quota is spent: no write until the next hour. Or the last write failed.
        if self._owed:
            self._add(hour, self._owed, self._rules.calls_per_hour + self._owed)
            self._owed = 0
        wanted = self._rules.block(self._taken, max(self._spent_here, self._spent_before // 2))
        # If the block is refused, one call may still be left. If that is refused too, the quota is spent.
        for block in (wanted, 1):
            if self._reserve(hour, block):
                return block
        return 0

    def _reserve(self, hour: datetime, block: int) -> bool:
        return self._add(hour, block, self._rules.calls_per_hour - block)

    def _add(self, hour: datetime, block: int, last: int) -> bool:
        untouched = "attribute_not_exists(taken)"
        enough_left = "taken <= :last"
        write = self._table.update(
            PK,
            f"{hour:%Y-%m-%dT%H}",
            "ADD taken :block SET expires_at = :expires_at",
            {
                ":block": block,
                ":last": last,
                ":expires_at": int((hour + KEPT_FOR).timestamp()),
            },
            f"{untouched} OR {enough_left}",
        )
        assert write.item is not None  # noqa: S101 - the write returns the item, accepted or rejected.
        self._taken = write.item["taken"]
        self._observe(100 * self._taken / self._rules.calls_per_hour)
        return write.accepted
