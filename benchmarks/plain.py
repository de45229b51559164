"""The plain design for comparison: one item per reading, read before each write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from bg_ingest.clock import hour_of
from bg_ingest.readings.model import Device, Reading
from bg_ingest.readings.store import SaveReport
from bg_ingest.readings.stored.stored_reading import HourColumns, StoredReading, to_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bg_ingest.dynamo import Item, Table


@dataclass(frozen=True, slots=True)
class PlainReadingStore:
    """Reads and writes like the real store, as far as the benchmarks need, without revisions."""

    table: Table

    def save(self, user_id: str, readings: Sequence[Reading], fetched_at: datetime) -> SaveReport:
        """Read the stored items and put the others. Two concurrent writers would both put."""
        if not readings:
            return SaveReport(0, 0, 0, 0)
        first, last = min(reading.at for reading in readings), max(reading.at for reading in readings)
        known = {stored.reading.at for stored in self.between(user_id, first, last)}
        new = [reading for reading in readings if reading.at not in known]
        for reading in new:
            self.table.put(_item(user_id, reading, fetched_at))
        return SaveReport(len(new), 0, len(readings) - len(new), 0)

    def between(
        self,
        user_id: str,
        start: datetime,
        end: datetime,
        *,
        descending: bool = False,
        limit: int | None = None,
        consistent: bool = True,
    ) -> Iterator[StoredReading]:
        """Return the readings of a range."""
        items = self.table.query(
            "pk = :user AND sk BETWEEN :first AND :last",
            {":user": user_id, ":first": _key(start), ":last": _key(end)},
            descending=descending,
            consistent=consistent,
            page_items_max=limit,
        )
        return islice(map(_stored, items), limit)

    def readable_between(self, user_id: str, start: datetime, end: datetime) -> Iterator[StoredReading]:
        """Return the same readings: every item can be read."""
        return self.between(user_id, start, end)

    def columns(
        self,
        user_id: str,
        start: datetime,
        end: datetime,
        *,
        descending: bool = False,
        limit: int | None = None,
        as_of: None = None,
    ) -> Iterator[HourColumns]:
        """Return the same readings in the form for rendering; an earlier time cannot be asked for."""
        assert as_of is None  # noqa: S101 - an item per reading has no versions.
        found = self.between(user_id, start, end, descending=descending, limit=limit)
        for hour, stored in groupby(found, lambda stored: hour_of(stored.reading.at)):
            yield to_columns(hour, list(stored))

    def instants_eventually_consistent(
        self,
        user_id: str,
        start: datetime,
        end: datetime,
        *,
        relayed: bool = True,  # noqa: ARG002 - the benchmarks have no relayed readings.
    ) -> list[datetime]:
        """Return the instants of a range, also at half the price."""
        return [stored.reading.at for stored in self.between(user_id, start, end, consistent=False)]

    def latest(self, user_id: str) -> StoredReading | None:
        """Return the newest reading."""
        ever = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
        return next(self.between(user_id, *ever, descending=True, limit=1), None)


def _key(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def _item(user_id: str, reading: Reading, fetched_at: datetime) -> Item:
    device = reading.device
    return {
        "pk": user_id,
        "sk": _key(reading.at),
        "mg_dl": reading.mg_dl,
        "trend": reading.trend,
        "trend_rate": str(reading.trend_rate),
        "record_id": reading.record_id,
        "offset": reading.local_offset_minutes,
        "ticks": reading.transmitter_ticks,
        "device": [device.generation, device.display, device.app, device.transmitter],
        "stored_at": _key(fetched_at),
    }


def _stored(item: dict[str, Any]) -> StoredReading:
    reading = Reading(
        datetime.fromisoformat(item["sk"]),
        item["mg_dl"],
        item["trend"],
        float(item["trend_rate"]),
        record_id=item["record_id"],
        local_offset_minutes=item["offset"],
        transmitter_ticks=item["ticks"],
        device=Device(*item["device"]),
    )
    return StoredReading(reading, datetime.fromisoformat(item["stored_at"]))
