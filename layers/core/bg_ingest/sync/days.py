"""The completeness of each user's days, as the last reconciliation found it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.readings.completeness import Day
from bg_ingest.readings.gaps import Gap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table

_PREFIX = "day#"
_KEPT = timedelta(days=400)  # A year can be looked at, and compared with the one before.


@dataclass(frozen=True, slots=True)
class Days:
    """The day items of the users table."""

    table: Table
    clock: Clock

    def record(self, user_id: str, days: Iterable[Day]) -> None:
        """Remember how complete these days are by now."""
        expires_at_s = int((self.clock.now() + _KEPT).timestamp())
        for day in days:
            self.table.put(_to_item(user_id, day) | {"expires_at": expires_at_s})

    def between(self, user_id: str, first: date, last: date) -> Iterator[Day]:
        """What is known of the days from `first` to `last`, oldest first."""
        items = self.table.query(
            "pk = :pk AND sk BETWEEN :first AND :last",
            {":pk": user_id, ":first": f"{_PREFIX}{first}", ":last": f"{_PREFIX}{last}"},
        )
        return map(_from_item, items)


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
