"""Readings as answers: one, or a page of a range in the form the caller accepts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest import problems
from bg_ingest.facades.native.reading_text import as_json, csv_lines, json_array, ndjson_lines
from bg_ingest.http_api.negotiation import preferred
from bg_ingest.problems import Problem
from bg_ingest.readings.cursor import Cursor, CursorInvalid, decode, encode
from bg_ingest.utc import rfc_3339

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bg_ingest.facades.native.reading_text import Unit
    from bg_ingest.readings.columns import HourColumns
    from bg_ingest.readings.store import ReadingStore
    from bg_ingest.readings.stored_reading import StoredReading

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Page:
    """Some readings of a range, and the query that asks for the rest of it."""

    hours: Sequence[HourColumns]
    rest: dict[str, str] | None


def read_page(
    reading_store: ReadingStore,
    user_id: str,
    asked: tuple[datetime, datetime],
    *,
    limit: int,
    order: str,
    cursor: str | None,
) -> Page:
    """At most `limit` readings of a range, from where the cursor says."""
    descending = order == "desc"
    start, end = _rest(asked, cursor, descending=descending)
    # One more than is shown tells whether there is another page.
    hours = list(reading_store.columns(user_id, start, end, descending=descending, limit=limit + 1))
    if sum(map(len, hours)) <= limit:
        return Page(hours, None)
    *before, last = hours
    page = [hour for hour in (*before, last.part(slice(-1))) if hour]
    position = encode(Cursor(page[-1].instants[-1], descending))
    # The range is named even where the caller left it open: "now" must not move from page to page.
    query = {"from": _exact(asked[0]), "to": _exact(asked[1]), "limit": str(limit), "order": order}
    return Page(page, query | {"cursor": position})


def rendered(hours: Sequence[HourColumns], unit: Unit, accept: str | None) -> tuple[str, str]:
    """The body of an answer and its content type; JSON unless one of the other two is wanted more."""
    match preferred(accept, ("application/json", "text/csv", "application/x-ndjson")):
        case "text/csv":
            return "".join(csv_lines(hours, unit)), "text/csv; charset=utf-8"
        case "application/x-ndjson":
            return "".join(ndjson_lines(hours, unit)), "application/x-ndjson"
        case _:
            return json_array(hours, unit), "application/json"


def latest(stored: StoredReading, now: datetime, unit: Unit) -> tuple[str, str]:
    """The newest reading with its age, and the same without: what a validator is made of."""
    value = as_json(stored, unit)
    # A device whose clock runs ahead has no readings from the future.
    age = {"age_seconds": max((now - stored.reading.at) // _SECOND, 0)}
    return json.dumps(value | age, separators=(",", ":")), json.dumps(value)


def _rest(
    asked: tuple[datetime, datetime], cursor: str | None, *, descending: bool
) -> tuple[datetime, datetime]:
    if cursor is None:
        return asked
    try:
        position = decode(cursor)
    except CursorInvalid:
        position = None
    if position is None or position.descending != descending:
        reason = "is none of ours, or of the other order"
        raise Problem(problems.INVALID_REQUEST, errors=[{"field": "cursor", "reason": reason}])
    return position.rest(*asked)


def _exact(moment: datetime) -> str:
    return rfc_3339(moment) if moment.microsecond == 0 else moment.isoformat().replace("+00:00", "Z")
