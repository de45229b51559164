"""
Response bodies of the newest reading and of one page of a range, in the media type that the caller accepts.

How the media type is chosen (RFC 9110, 12.5.1):

- If `Accept` names several, then the highest `q` wins: `text/csv;q=0.1, application/json` is JSON.
- If two have the same `q`, then the one named in full wins over one matched by `*`: `text/csv, */*` is CSV.
- If both are named in full, then the first in the header wins.
- If there is no `Accept`, or nothing in it is offered, then the response is JSON rather than an error.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from bg_ingest.access.audit import AuditOutcome
from bg_ingest.clock import rfc_3339
from bg_ingest.facades.native.reading_text import as_json, csv_lines, json_array, ndjson_lines
from bg_ingest.http_api.description import Instant
from bg_ingest.problems import invalid_field
from bg_ingest.readings.cursor import Cursor, CursorInvalid, decode, encode
from bg_ingest.readings.delays import next_reading_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bg_ingest.facades.native.reading_text import Unit
    from bg_ingest.readings.store import ReadingStore
    from bg_ingest.readings.stored.stored_reading import HourColumns, StoredReading


class DeviceJson(TypedDict):
    """The devices that measured and uploaded a reading, as the provider names them."""

    generation: Annotated[str | None, Field(examples=["g7"])]
    display: Annotated[str | None, Field(examples=["iOS"])]
    app: Annotated[str | None, Field(examples=["G7"])]


class ReadingJson(TypedDict):
    """One glucose value of one user at one time."""

    timestamp: Instant
    glucose_mg_dl: Annotated[int, Field(description="Glucose in mg/dL", examples=[110])]
    glucose_mmol_l: NotRequired[
        Annotated[
            float,
            Field(
                description="The value in mmol/L, rounded half up to one decimal; only with `unit=mmol/L`",
                examples=[6.1],
            ),
        ]
    ]
    trend: Annotated[str | None, Field(description="As the provider names it", examples=["flat"])]
    trend_rate: Annotated[float | None, Field(description="mg/dL per minute", examples=[0.3])]
    status: Annotated[
        Literal["low", "high"] | None, Field(description="Set if the value is outside the sensor's range")
    ]
    type: Annotated[Literal["cgm", "manual", "calibration"], Field(examples=["cgm"])]
    local_offset_minutes: Annotated[int | None, Field(description="Local time minus UTC", examples=[-420])]
    stored_at: Instant
    revision: Annotated[
        int, Field(description="How many times the provider has corrected the reading", ge=0, examples=[0])
    ]
    device: DeviceJson


class AuditEntryJson(TypedDict):
    """One request that wrote a user's data, or that read it for another caller."""

    at: Instant
    actor: Annotated[str, Field(description="The subject of the caller's token")]
    action: Annotated[str, Field(examples=["GET /api/bg/{userId}"])]
    outcome: AuditOutcome
    correlation_id: str


MEDIA_TYPES = ("application/json", "text/csv", "application/x-ndjson")
_SECOND = timedelta(seconds=1)
_WEIGHT = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a range, and the query of the next page; None after the last one."""

    hours: Sequence[HourColumns]
    next_query: dict[str, str] | None


def read_page(
    reading_store: ReadingStore,
    user_id: str,
    window: tuple[datetime, datetime],
    *,
    limit: int,
    order: str,
    cursor: str | None,
    as_of: datetime | None = None,
) -> Page:
    """Read at most `limit` readings of a range, starting after the cursor."""
    descending = order == "desc"
    start, end = _remaining(window, cursor, descending=descending)
    # One reading more than the page holds shows whether there is a next page.
    hours = list(
        reading_store.columns(user_id, start, end, descending=descending, limit=limit + 1, as_of=as_of)
    )
    if sum(map(len, hours)) <= limit:
        return Page(hours, None)
    *before, last = hours
    page = [hour for hour in (*before, last.part(slice(-1))) if hour]
    position = encode(Cursor(page[-1].instants[-1], descending))
    # The query names both ends even if the caller named none: "now" must be the same on every page.
    query = {"from": exact_text(window[0]), "to": exact_text(window[1]), "limit": str(limit), "order": order}
    then = {"as_of": exact_text(as_of)} if as_of else {}
    return Page(page, query | then | {"cursor": position})


def removed_header(
    reading_store: ReadingStore, user_id: str, window: tuple[datetime, datetime], as_of: datetime | None
) -> dict[str, str]:
    """Return how many readings of the range were served at that time and are gone; nothing without any."""
    gone = reading_store.expired_since(user_id, *window, as_of) if as_of else 0
    return {"BG-Removed": str(gone)} if gone else {}


def rendered(hours: Sequence[HourColumns], unit: Unit, accept: str | None) -> tuple[str, str]:
    """Return the body of a page and its content type."""
    match preferred(accept, MEDIA_TYPES):
        case "text/csv":
            return "".join(csv_lines(hours, unit)), "text/csv; charset=utf-8"
        case "application/x-ndjson":
            return "".join(ndjson_lines(hours, unit)), "application/x-ndjson"
        case _:
            return json_array(hours, unit), "application/json"


def latest(stored: StoredReading, now: datetime, unit: Unit) -> tuple[str, str]:
    """Return the newest reading with its age, and the same without: the age must not change the ETag."""
    value = as_json(stored, unit)
    # A reading was measured before it was stored, even if the device's clock is wrong. So a reading from the
    # future is at least as old as its storing.
    measured_by = min(stored.reading.at, stored.first_stored_at)
    age = {"age_seconds": max((now - measured_by) // _SECOND, 0)}
    value |= {"next_expected_at": rfc_3339(next_reading_at(stored))}
    return json.dumps(value | age, separators=(",", ":")), json.dumps(value)


def preferred(accept: str | None, offered: Sequence[str]) -> str:
    """Return the offered media type that `Accept` prefers, by the rules at the head of this file."""
    accepted: dict[str, tuple[float, int]] = {}
    for place, part in enumerate((accept or "").split(",")):
        media_type, *parameters = (each.strip() for each in part.split(";"))
        accepted.setdefault(media_type.lower(), (_weight(parameters), -place))

    def rank(media_type: str) -> tuple[float, int, int]:
        for vagueness, name in enumerate((media_type, f"{media_type.partition('/')[0]}/*", "*/*")):
            if name in accepted:
                weight, place = accepted[name]
                return weight, -vagueness, place
        return 0.0, 0, 0

    best = max(offered, key=rank)
    return best if rank(best)[0] else offered[0]


def exact_text(moment: datetime) -> str:
    """Return RFC 3339 in UTC, with the fraction of a second if there is one."""
    return rfc_3339(moment) if moment.microsecond == 0 else moment.isoformat().replace("+00:00", "Z")


def _weight(parameters: Sequence[str]) -> float:
    found = filter(None, map(_WEIGHT.fullmatch, parameters))
    return next((float(weight[1]) for weight in found), 1.0)


def _remaining(
    window: tuple[datetime, datetime], cursor: str | None, *, descending: bool
) -> tuple[datetime, datetime]:
    if cursor is None:
        return window
    try:
        position = decode(cursor)
    except CursorInvalid:
        position = None
    if position is None or position.descending != descending:
        raise invalid_field("cursor", "was not issued by this API, or belongs to the other `order`")
    return position.rest(*window)
