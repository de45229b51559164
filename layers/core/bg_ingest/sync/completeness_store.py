"""
How complete each user's days are.

A day is recorded whenever all of it was fetched: with the history, by a reconciliation, or because somebody
asked for it. The newest days change with every poll, so those are worked out when they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.readings.completeness import DAY, Day, Followed, completeness
from bg_ingest.readings.gaps import Gap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table
    from bg_ingest.readings.store import ReadingStore
    from bg_ingest.sync.state import SyncState

_PREFIX = "day#"
# A poll fills in the last day, a reconciliation looks at three.
_WORKED_OUT = timedelta(days=3)
_KEPT = timedelta(days=400)  # A year can be looked at, and compared with the one before.


@dataclass(frozen=True, slots=True)
class CompletenessStore:
    """The day items of the users table."""

    table: Table
    clock: Clock

    def record(self, user_id: str, days: Iterable[Day]) -> None:
        """Remember how complete these days are by now."""
        expires_at_s = int((self.clock.now() + _KEPT).timestamp())
        for day in days:
            self.table.put(_to_item(user_id, day) | {"expires_at": expires_at_s})

    def between(self, user_id: str, first: date, last: date) -> Iterator[Day]:
        """What is recorded of the days from `first` to `last`, oldest first."""
        items = self.table.query(
            "pk = :pk AND sk BETWEEN :first AND :last",
            {":pk": user_id, ":first": f"{_PREFIX}{first}", ":last": f"{_PREFIX}{last}"},
        )
        return map(_from_item, items)


def compute_days(
    reading_store: ReadingStore, state: SyncState, first: date, last: date, now: datetime
) -> tuple[Day, ...]:
    """The days from `first` to `last` by what is stored now."""
    edges = (datetime.combine(first, time(), UTC), datetime.combine(last + DAY, time(), UTC))
    stored = reading_store.between(state.user_id, *edges)
    return completeness(stored, first, last, now, Followed(state.history_from, state.begun_at))


def current_days(
    reading_store: ReadingStore,
    days: CompletenessStore,
    state: SyncState,
    first: date,
    last: date,
    now: datetime,
) -> list[Day]:
    """The days from `first` to `last`: old ones as they were recorded, the newest by what is stored now."""
    newest_from = max(first, (now - _WORKED_OUT).date())
    recorded = [day for day in days.between(state.user_id, first, last) if day.date < newest_from]
    return [*recorded, *compute_days(reading_store, state, newest_from, min(last, now.date()), now)]


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
    return Day(
        date=date.fromisoformat(item["sk"].removeprefix(_PREFIX)),
        expected=item["expected"],
        received=item["received"],
        late=item["late"],
        missing=item["missing"],
        gaps=tuple(_gap(*gap) for gap in item["gaps"]),
    )


def _gap(*gap: Any) -> Gap:
    start, end, missing = gap
    return Gap(datetime.fromisoformat(start), datetime.fromisoformat(end), missing)
