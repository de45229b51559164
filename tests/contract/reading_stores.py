"""Helpers for tests of the reading store: series, interrupted writers, and stored items."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.dynamo import Table
from tests.contract.stepped import stepped
from tests.support.fakes import NOON
from tests.unit.readings.made_up import MINUTE, measured

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bg_ingest.readings.model import Reading
    from bg_ingest.readings.store import ReadingStore
    from bg_ingest.readings.stored.stored_reading import StoredReading

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RETENTION_DAYS = 30
LONG_AGO, FAR_AHEAD = NOON - DAY * 10_000, NOON + DAY * 10_000


def series(start: datetime, count: int, mg_dl: int = 110) -> list[Reading]:
    """A reading every five minutes."""
    return [measured(start + MINUTE * 5 * n, mg_dl + n % 7) for n in range(count)]


def everything(reading_store: ReadingStore, user_id: str = "ada") -> list[StoredReading]:
    """All readings of a user."""
    return list(reading_store.between(user_id, LONG_AGO, FAR_AHEAD))


def instants(readings: list[StoredReading]) -> list[datetime]:
    """The instants of the readings."""
    return [stored.reading.at for stored in readings]


def interrupted(reading_store: ReadingStore, turn: Callable[[str], None]) -> ReadingStore:
    """The same store for another writer, which calls `turn` before and after each call of DynamoDB."""
    return replace(
        reading_store, table=Table(stepped(reading_store.table.client, turn), reading_store.table.name)
    )


def items(reading_store: ReadingStore, user_id: str = "ada") -> list[dict[str, Any]]:
    """The stored items of a user."""
    return list(reading_store.table.query("pk = :user", {":user": user_id}))


def size_bytes(item: dict[str, Any]) -> int:
    """The size as DynamoDB counts it: names and values, with about one byte for two digits of a number."""
    return sum(
        len(name) + (len(value) if isinstance(value, str) else len(str(value)) // 2 + 2)
        for name, value in item.items()
    )
