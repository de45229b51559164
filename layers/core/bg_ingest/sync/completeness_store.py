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
    from collections.abc import Iterable, Iterator, Sequence

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
    reading_store: ReadingStore, states: Sequence[SyncState], first: date, last: date, now: datetime
) -> tuple[Day, ...]:
    """The days from `first` to `last` of a user with these sources, computed from what is stored now."""
    edges = (datetime.combine(first, time(), UTC), datetime.combine(last + DAY, time(), UTC))
    stored = reading_store.readable_between(states[0].user_id, *edges)
    return completeness(stored, first, last, now, followed_by(states))


def followed_by(states: Sequence[SyncState]) -> Followed:
    """Since when these sources of one user are followed: as the first of them is."""
    return Followed(min(state.history_from for state in states), min(state.connected_at for state in states))


def current_days(
    reading_store: ReadingStore,
    days: CompletenessStore,
    states: Sequence[SyncState],
    first: date,
    last: date,
    now: datetime,
) -> list[Day]:
    """The days from `first` to `last`: old ones as stored, the newest computed."""
    computed_from = max(first, (now - _COMPUTED).date())
    stored = [day for day in days.between(states[0].user_id, first, last) if day.date < computed_from]
    return [*stored, *compute_days(reading_store, states, computed_from, min(last, now.date()), now)]


def _to_item(user_id: str, day: Day) -> Item:
    return {
        "pk": user_id,
        "sk": f"{_PREFIX}{day.date}",
        "received": day.received,
        "late": day.late,
        "missing": day.missing,
        "pending": day.pending,
        "gaps": [[gap.start.isoformat(), gap.end.isoformat(), gap.missing] for gap in day.gaps],
    }


def _from_item(item: Item) -> Day:
    gaps = (
        Gap(datetime.fromisoformat(start), datetime.fromisoformat(end), missing)
        for start, end, missing in item["gaps"]
    )
    # Items from before `pending` existed count the late readings among the received.
    is_older = "pending" not in item
    return Day(
        date=date.fromisoformat(item["sk"].removeprefix(_PREFIX)),
        received=item["received"] - (item["late"] if is_older else 0),
        late=item["late"],
        # Old days are served as stored. By then their pending readings are missing.
        missing=item["missing"] + item.get("pending", 0),
        pending=0,
        gaps=tuple(gaps),
    )
