"""
Rejected records, kept for an operator: the reason, and the record, sealed.

A rejected record leaves a gap, so the polls of the next day fetch it again; a record that is stored already
is not stored twice. A job counts every rejected record. The quarantine holds the first ones of each reason.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from bg_ingest.accounts.sealing import SealBroken
from bg_ingest.clock import made_at, new_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bg_ingest.accounts.sealing import Sealer
    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table
    from bg_ingest.providers.seam import Rejected

_PREFIX = "quarantine#"
_AFTER_EVERY_ID = _PREFIX + "g"  # Ids are hexadecimal.
KEPT = timedelta(days=30)  # As long as the job that counted the record.

# A change of the provider's format spoils all records alike, and a few of them show it. Twenty cost at most a
# hundred write units; 288 spoilt records a day, stored whole, would cost more than the readings.
RECORDS_MAX = 20
# How many stored records a new one is compared with: more than the polls of one day store of one fault.
KNOWN_COMPARED_MAX = 5 * RECORDS_MAX
# A typical record has 500 characters. Of a longer one the beginning is stored.
RECORD_CHARS_MAX = 4_096


@dataclass(frozen=True, slots=True)
class QuarantinedRecord:
    """A record in quarantine."""

    reason: str
    record: str | None = field(repr=False)  # JSON, or its beginning; None if its seal no longer opens.
    kept_at: datetime


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The rejected records of the last thirty days, in the users table."""

    table: Table
    sealer: Sealer
    clock: Clock

    def save(self, user_id: str, rejected: Iterable[Rejected]) -> int:
        """Store the first records of each reason that are not stored yet; returns how many those were."""
        chosen = first_of_each_reason(rejected)
        if not chosen:
            return 0
        known = {
            (stored.reason, stored.record)
            for stored in islice(self.newest_first(user_id), KNOWN_COMPARED_MAX)
        }
        new = [found for found in dict.fromkeys(chosen) if found not in known]
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
                yield self._record(item)

    def _item(self, user_id: str, reason: str, record: str) -> Item:
        now = self.clock.now()
        sk = _PREFIX + new_id(now)
        return {
            "pk": user_id,
            "sk": sk,
            "reason": reason,
            "record": self.sealer.seal(user_id, record.encode(), sk),
            "expires_at": int((now + KEPT).timestamp()),
        }

    def _record(self, item: Item) -> QuarantinedRecord:
        try:
            record: str | None = self.sealer.open(item["pk"], item["record"], item["sk"]).decode()
        except SealBroken:
            record = None  # The reason and all other records can still be read.
        return QuarantinedRecord(item["reason"], record, made_at(item["sk"].removeprefix(_PREFIX)))


def first_of_each_reason(rejected: Iterable[Rejected]) -> list[tuple[str, str]]:
    """
    At most RECORDS_MAX reasons and records as text.

    The first record of every reason, then the second of every reason. So a common fault hides no rare one.
    """
    seen: Counter[str] = Counter()
    ranked: list[tuple[int, Rejected]] = []
    for one in rejected:
        if seen[one.reason] < RECORDS_MAX:
            ranked.append((seen[one.reason], one))
        seen[one.reason] += 1
    chosen = sorted(ranked, key=lambda entry: entry[0])[:RECORDS_MAX]
    return [(one.reason, _text(one.record)) for _, one in chosen]


def _text(record: object) -> str:
    try:
        # ASCII: half a surrogate pair is valid JSON and invalid UTF-8.
        text = json.dumps(record, separators=(",", ":"), default=lambda _: None)
    except (RecursionError, ValueError):
        text = '"cannot be written as JSON"'
    return text[:RECORD_CHARS_MAX]
