"""
Records that could not be read, kept for whoever has to find out why: the reason, and the record, sealed.

A record that is no reading leaves a gap, so the polls of the next day fetch it again: what is held already is
not kept twice. A job counts every such record; here are the first ones of each reason.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from bg_ingest.accounts.data_keys import SealBroken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bg_ingest.accounts.sealing import Sealer
    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table

_PREFIX = "quarantine#"
_AFTER_EVERY_ID = _PREFIX + "g"  # Ids are hexadecimal.
KEPT = timedelta(days=30)  # As long as the job that counted it.

# A change of the provider's format spoils every record alike, and a few show it as well as all: twenty cost
# at most a hundred write units, where 288 spoilt records a day, each kept whole, would cost more than the
# readings themselves.
RECORDS_MAX = 20
# What `keep` compares with: more than what the polls of one day keep of a fault that does not change.
KNOWN_COMPARED_MAX = 5 * RECORDS_MAX
# A record of Dexcom's has 500 characters. What is longer is shown by its beginning.
RECORD_CHARS_MAX = 4_096


class Unreadable(Protocol):
    """A record that is no reading."""

    @property
    def reason(self) -> str:
        """Why it is none; nothing of the record is in it."""
        ...

    @property
    def record(self) -> object:
        """The record as it came."""
        ...


@dataclass(frozen=True, slots=True)
class QuarantinedRecord:
    """A record in quarantine."""

    reason: str
    record: str | None = field(repr=False)  # JSON, or its beginning; None if its seal does not open any more.
    kept_at: datetime


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The quarantined records of the last thirty days, in the users table."""

    table: Table
    sealer: Sealer
    clock: Clock

    def keep(self, user_id: str, rejected: Iterable[Unreadable]) -> int:
        """Keep the first records of each reason that are not held already; how many those were."""
        chosen = first_of_each_reason(rejected)
        if not chosen:
            return 0
        held = {
            (known.reason, known.record) for known in islice(self.newest_first(user_id), KNOWN_COMPARED_MAX)
        }
        new = [found for found in dict.fromkeys(chosen) if found not in held]
        for reason, record in new:
            self.table.put(self._item(user_id, reason, record))
        return len(new)

    def newest_first(self, user_id: str) -> Iterator[QuarantinedRecord]:
        """A user's quarantined records, from the newest back."""
        now_s = int(self.clock.now().timestamp())
        for item in self.table.query(
            "pk = :pk AND sk BETWEEN :first AND :last",
            {":pk": user_id, ":first": _PREFIX, ":last": _AFTER_EVERY_ID},
            descending=True,
            page_items_max=KNOWN_COMPARED_MAX,
        ):
            if item["expires_at"] > now_s:  # TTL removes it days later.
                yield self._quarantined(item)

    def _item(self, user_id: str, reason: str, record: str) -> Item:
        now = self.clock.now()
        return {
            "pk": user_id,
            "sk": f"{_PREFIX}{int(now.timestamp() * 1000):012x}{secrets.token_hex(8)}",
            "reason": reason,
            "record": self.sealer.seal(user_id, record.encode()),
            "expires_at": int((now + KEPT).timestamp()),
        }

    def _quarantined(self, item: Item) -> QuarantinedRecord:
        kept_at_ms = int(item["sk"].removeprefix(_PREFIX)[:12], 16)
        try:
            record: str | None = self.sealer.open(item["pk"], item["record"]).decode()
        except SealBroken:
            record = None  # The others can still be read, and the reason of this one.
        return QuarantinedRecord(item["reason"], record, datetime.fromtimestamp(kept_at_ms / 1000, UTC))


def first_of_each_reason(rejected: Iterable[Unreadable]) -> list[tuple[str, str]]:
    """
    At most RECORDS_MAX reasons and records as text.

    The first of every reason, then the second of every reason: a common fault does not hide a rare one.
    """
    seen: Counter[str] = Counter()
    ranked: list[tuple[int, Unreadable]] = []
    for unreadable in rejected:
        if seen[unreadable.reason] < RECORDS_MAX:
            ranked.append((seen[unreadable.reason], unreadable))
        seen[unreadable.reason] += 1
    chosen = sorted(ranked, key=lambda entry: entry[0])[:RECORDS_MAX]
    return [(unreadable.reason, _text(unreadable.record)) for _, unreadable in chosen]


def _text(record: object) -> str:
    try:
        # ASCII: half a surrogate pair is JSON, and is not UTF-8.
        text = json.dumps(record, separators=(",", ":"), default=lambda _: None)
    except (RecursionError, ValueError):
        text = '"it cannot be written down"'
    return text[:RECORD_CHARS_MAX]
