"""The reader: the kind of caller that has a grant and no token of the user pool."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bg_ingest.access.caller import Forbidden
from bg_ingest.readings.local_days import local_date_of

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.access.grant import Category, Grant
    from bg_ingest.readings.local_days import LocalDays
    from bg_ingest.readings.store import ReadingStore


@dataclass(frozen=True, slots=True)
class Reader:
    """An app or another person that reads with a grant: what the grant names, and nothing else."""

    grant: Grant

    @property
    def user_id(self) -> str:
        """The user whose data the reader sees."""
        return self.grant.user_id

    def must_read(self, category: Category) -> None:
        """Raise Forbidden unless the grant opens this kind of data."""
        if category not in self.grant.reads:
            raise Forbidden

    def days(self, reading_store: ReadingStore, now: datetime) -> LocalDays:
        """The days that the grant opens now. Today is the local date by the newest reading's offset."""
        newest = reading_store.latest(self.user_id) if self.grant.days.last else None
        return self.grant.days.on(local_date_of(now, newest.reading.local_offset_minutes if newest else None))

    def visible(self, reading_store: ReadingStore, now: datetime) -> ReadingStore:
        """Return the readings of those days. Every response to a reader reads from this store."""
        return replace(reading_store, days=self.days(reading_store, now))
