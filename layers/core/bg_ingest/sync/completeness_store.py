"""
How complete each user's days are.

A day is stored when all of it was fetched: with the history, by a reconciliation, or by a sync of a range.
The newest days change with every poll, so they are computed when a caller asks for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from bg_ingest.readings.completeness import DAY, Day, Followed, completeness
from bg_ingest.readings.gaps import Gap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table
    from bg_ingest.readings.store import ReadingStore
    from bg_ingest.sync.state import SyncState

_PREFIX = "day#"
# A poll fills in the last day, a reconciliation the last three.
_COMPUTED = timedelta(days=3)
_KEPT = timedelta(days=400)  # One year, and a month of the year before to compare with.


@dataclass(frozen=True, slots=True)
class CompletenessStore:
    """The day items of the users table."""

    table: Table
    clock: Clock

    def save(self, user_id: str, days: Iterable[Day]) -> None:
        """Store how complete these days are now."""
        expires_at_s = int((self.clock.now() + _KEPT).timestamp())
        for day in days:
            self.table.put(_to_item(user_id, day) | {"expires_at": expires_at_s})

    def between(self, user_id: str, first: date, last: date) -> Iterator[Day]:
        """The stored days from `first` to `last`, oldest first."""
        items = self.table.query(
            "pk = :pk AND sk BETWEEN :first AND :last",
            {":pk": user_id, ":first": f"{_PREFIX}{first}", ":last": f"{_PREFIX}{last}"},
        )
        return map(_from_item, items)


def compute_days(
    reading_store: ReadingStore, state: SyncState, first: date, last: date, now: datetime
) -> tuple[Day, ...]:
    """The days from `first` to `last`, computed from the readings stored now."""
    edges = (datetime.combine(first, time(), UTC), datetime.combine(last + DAY, time(), UTC))
    stored = reading_store.between(state.user_id, *edges)
    return completeness(stored, first, last, now, Followed(state.history_from, state.connected_at))


def current_days(
    reading_store: ReadingStore,
    days: CompletenessStore,
    state: SyncState,
    first: date,
    last: date,
    now: datetime,
) -> list[Day]:
    """The days from `first` to `last`: old ones as stored, the newest computed."""
    computed_from = max(first, (now - _COMPUTED).date())
    stored = [day for day in days.between(state.user_id, first, last) if day.date < computed_from]
    return [*stored, *compute_days(reading_store, state, computed_from, min(last, now.date()), now)]


def _to_item(user_id: str, day: Day) -> Item:
    return {
        "pk": user_id,
        "sk": f"{_PREFIX}{day.date}",
        "expected": day.expected,
        "received": day.received,
        "late": day.late,
        "missing": day.missing,
        "gaps": [[gap.start.isoformat(), gap.end.isoformat(), gap.missing] for gap in day.gaps],
    }


def _from_item(item: Item) -> Day:
    gaps = (
        Gap(datetime.fromisoformat(start), datetime.fromisoformat(end), missing)
        for start, end, missing in item["gaps"]
    )
    return Day(
        date=date.fromisoformat(item["sk"].removeprefix(_PREFIX)),
        expected=item["expected"],
        received=item["received"],
        late=item["late"],
        missing=item["missing"],
        gaps=tuple(gaps),
    )
