"""
The late log: the writes to hours that lie more than a day back or ahead, numbered for each user.

A reader of changes watches the hours of the last two days directly. It cannot watch all others, so a save
that is about to write such hours announces it here first. Most polls write recent hours only and announce
nothing. A history of 90 days makes one entry for each of its windows.

    writer   entry 7: 5 March, 10:00 to 12:00, version 3 ──► writes the hours
    reader   knows entry 6 ── finds entry 7 ── reads these hours: version 3 is there, or not yet

An entry is stored on the condition that its number is free. So a reader that knows entry 6 finds every later
one, in the order in which they were stored. An entry is a promise: its writer may crash, or another writer
may be faster. The reader therefore compares the versions that are announced with those that are stored.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from bg_ingest.clock import HOUR, from_iso, to_iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table

_PARTITION_PREFIX = "late#"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A writer loses a number only to another writer that was accepted.
_TRIES_MAX = 64


class LateLogContended(Exception):
    """Other writers took every number that was tried. The save can be retried."""


@dataclass(frozen=True, slots=True)
class LateEntry:
    """One announced save: its hours, with the version that each was to have."""

    number: int
    entry_id: str  # Random: after an erasure the numbers start again.
    noted_at: datetime
    versions: Mapping[datetime, int]


@dataclass(frozen=True, slots=True)
class LateLog:
    """The late logs of all users, in the users table."""

    table: Table
    clock: Clock

    def announce(self, user_id: str, versions: Mapping[datetime, int]) -> None:
        """Store the entry of a save that is about to write these hours."""
        newest = self.newest_number(user_id)
        item: Item = {
            "pk": partition(user_id),
            "entry_id": secrets.token_hex(4),
            "noted_at": to_iso(self.clock.now()),
            "hours": json.dumps(_runs(versions), separators=(",", ":")),
        }
        for number in range(newest + 1, newest + 1 + _TRIES_MAX):
            if self.table.put(item | {"sk": _sk(number)}, "attribute_not_exists(pk)").accepted:
                return
        raise LateLogContended("other writers took every number")

    def newest_number(self, user_id: str) -> int:
        """The number of the newest entry; 0 without any."""
        found = self.table.query(
            "pk = :pk", {":pk": partition(user_id)}, descending=True, consistent=True, page_items_max=1
        )
        return max((int(item["sk"]) for item in _first(found)), default=0)

    def since(self, user_id: str, number: int) -> list[LateEntry]:
        """The entries from this number on, in their order."""
        items = self.table.query(
            "pk = :pk AND sk >= :from", {":pk": partition(user_id), ":from": _sk(number)}, consistent=True
        )
        return [_from_item(item) for item in items]


def partition(user_id: str) -> str:
    """The partition key of one user's entries. No user id contains `#`."""
    return _PARTITION_PREFIX + user_id


def _sk(number: int) -> str:
    return f"{number:010d}"


def _first(items: Iterator[Item]) -> list[Item]:
    return [item for item in (next(items, None),) if item]


def _runs(versions: Mapping[datetime, int]) -> list[list[int]]:
    """Runs of neighbouring hours with the same version: [first hour since 1970, number of hours, version]."""
    numbered = sorted(((start - _EPOCH) // HOUR, version) for start, version in versions.items())
    runs = groupby(enumerate(numbered), lambda each: (each[1][0] - each[0], each[1][1]))
    return [[(first := list(run))[0][1][0], len(first), version] for (_, version), run in runs]


def _from_item(item: Item) -> LateEntry:
    return LateEntry(
        int(item["sk"]),
        item["entry_id"],
        from_iso(item["noted_at"]),
        {
            _EPOCH + timedelta(hours=first + place): version
            for first, count, version in json.loads(item["hours"])
            for place in range(count)
        },
    )
