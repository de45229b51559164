"""
Parsers of numbers, times, days, ranges, cursors and query names.

- If a range has no `to`, then it ends now. If it has no `from`, then it starts 24 hours before its end.
- If days have no `to`, then the last day is today. If they have no `from`, then they are the week up to it.
- If local days have no `from`, then they are the 14 days up to their last day.
- If `as_of` is sent, then it takes the place of now in all of these.
- If a value is invalid, then raise 422 with the name of the field and the reason, never with the value.
- If a query has an unknown or a repeated name, then it is invalid. A misspelled name must not be ignored:
  `?start=…` without this check would answer the last 24 hours. The reason contains the nearest known name.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from bg_ingest import problems
from bg_ingest.problems import Problem, invalid_field
from bg_ingest.settings import POLL_INTERVALS_S

if TYPE_CHECKING:
    from collections.abc import Collection

    from bg_ingest.http_api.requests.params import SettingsRequest, SyncRequest

RANGE_MAX = timedelta(days=92)
_RANGE_DEFAULT = timedelta(hours=24)
_SIX_DAYS = timedelta(days=6)  # With the last day itself, a week.
_THIRTEEN_DAYS = timedelta(days=13)  # With the last day itself, the fourteen days that statistics need.
_FIRST_AS_OF = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC) - timedelta(seconds=1)
_DIGITS = re.compile(r"\d{1,9}", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ITEM_ID = re.compile(r"[0-9a-f]{28}")
# Python also parses what RFC 3339 does not allow: week dates, any letter for the T, text that ends at a NUL.
_INSTANT_TEXT = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})", re.ASCII | re.IGNORECASE
)
# Names of other APIs for our parameters, which share too few letters with them.
_ALSO_CALLED = {
    "from": ("start", "begin", "after", "start_date", "startdate", "gte"),
    "to": ("end", "until", "before", "end_date", "enddate", "lt"),
    "limit": ("count", "max", "size", "page_size", "per_page", "n"),
    "order": ("sort", "direction", "reverse"),
    "unit": ("measure",),
    "cursor": ("page", "next", "offset", "token"),
}
_SIMILARITY_MIN = 0.5
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}", re.ASCII)


def parse_digits(text: str | list[str]) -> str:
    """Check a whole number; a value with a comma and a repeated parameter arrive as lists."""
    # Pydantic reads a number as Python does, so it would also accept " 5", "5_0" and "5.0".
    if isinstance(text, list) or not _DIGITS.fullmatch(text):
        raise ValueError("Input should be a whole number, in digits")
    return text


def parse_instant(text: str, field: str) -> datetime:
    """Parse an RFC 3339 time with a zone, such as 2026-04-26T14:30:00Z."""
    try:
        if _INSTANT_TEXT.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # Rejected below, as every other invalid time.
    reason = "must be an RFC 3339 time with a zone, such as 2026-04-26T14:30:00Z ('+' is written %2B)"
    raise invalid_field(field, reason)


def parse_as_of(text: str | None, now: datetime) -> datetime | None:
    """Parse the instant of which a response shall be; None if that is now."""
    return parse_past(text, "as_of", now)


def parse_past(text: str | None, field: str, now: datetime) -> datetime | None:
    """Parse an optional instant that has been."""
    if text is None:
        return None
    instant = parse_instant(text, field)
    if instant > now:
        raise invalid_field(field, "must not be in the future")
    if instant < _FIRST_AS_OF:
        raise invalid_field(field, "must not be before 1970")
    return instant


def parse_span(start: str, end: str) -> tuple[datetime, datetime]:
    """Parse the range of a webhook, whose `start` and `end` are both included."""
    first, last = parse_instant(start, "data.start"), parse_instant(end, "data.end")
    if first > last:
        raise invalid_field("data.start", "must not be after `data.end`")
    if last - first > RANGE_MAX:
        raise _range_too_long()
    return first, min(last, _LAST) + timedelta(seconds=1)


def parse_range(from_: str | None, to: str | None, now: datetime) -> tuple[datetime, datetime]:
    """Parse the range `[from, to)` of a query."""
    end = parse_instant(to, "to") if to is not None else now
    try:
        start = parse_instant(from_, "from") if from_ is not None else end - _RANGE_DEFAULT
    except OverflowError:
        raise invalid_field("to", "is too early") from None
    if start > end:
        raise invalid_field("from", "must not be after `to`, whose default is now")
    if end - start > RANGE_MAX:
        raise _range_too_long()
    return start, end


def parse_days(from_: str | None, to: str | None, today: date) -> tuple[date, date]:
    """Parse the first and the last day of a query, both included."""
    return _parsed_days(from_, to, today, _SIX_DAYS)


def parse_local_days(from_: str | None, to: str | None, today: date) -> tuple[date, date]:
    """Parse the first and the last local day of a query for statistics, both included."""
    return _parsed_days(from_, to, today, _THIRTEEN_DAYS)


def parse_day(text: str, field: str) -> date:
    """Parse a date, such as 2026-04-26."""
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # Rejected below, as every other invalid date.
    reason = "must be a date such as 2026-04-26"
    raise invalid_field(field, reason)


def parse_window(body: SyncRequest | None, now: datetime) -> tuple[datetime, datetime] | None:
    """Parse the range of a sync; None stands for the range that a poll would fetch."""
    if body is None or (body.from_ is None and body.to is None):
        return None
    start, end = parse_range(body.from_, body.to, now)
    if start > now:
        raise invalid_field("from", "must not be in the future: there is nothing to fetch yet")
    return start, end


def parse_interval(body: SettingsRequest, default_s: int) -> int:
    """Check a polling interval: one that is offered, or that of the deployment."""
    interval_s = body.poll_interval_seconds
    if interval_s not in POLL_INTERVALS_S | {default_s}:
        offered = ", ".join(map(str, sorted(POLL_INTERVALS_S)))
        raise invalid_field(
            "poll_interval_seconds", f"must be one of {offered}, or the default of {default_s}"
        )
    return interval_s


def parse_cursor(cursor: str | None) -> str | None:
    """Check the cursor of a list of jobs or audit entries: the id of the last item of the page before."""
    if cursor is not None and not _ITEM_ID.fullmatch(cursor):
        raise invalid_field("cursor", "was not issued by this API")
    return cursor


def faults_in_names(raw_query: str, known: Collection[str], *, others_ignored: bool) -> list[dict[str, str]]:
    """Return the unknown and the repeated parameters of a query, each with the reason why it is invalid."""
    counted = Counter(name for name, _ in parse_qsl(raw_query, keep_blank_values=True))
    faults = []
    for name, times in counted.items():
        if name not in known and not others_ignored:
            faults.append({"field": _shown(name), "reason": _unknown(name, known)})
        elif name in known and times > 1:
            faults.append({"field": name, "reason": "must not be repeated"})
    return faults


def _parsed_days(from_: str | None, to: str | None, today: date, before: timedelta) -> tuple[date, date]:
    last = parse_day(to, "to") if to is not None else today
    first = parse_day(from_, "from") if from_ is not None else max(last, date.min + before) - before
    if first > last:
        raise invalid_field("from", "must not be after `to`")
    if last - first >= RANGE_MAX:
        raise _range_too_long()
    return first, last


def _range_too_long() -> Problem:
    return Problem(
        problems.RANGE_TOO_LONG,
        f"At most {RANGE_MAX.days} days in one request. Send several requests for shorter ranges.",
    )


def _shown(name: str) -> str:
    # A caller may have sent anything in place of a name.
    return name if _PLAIN.fullmatch(name) else "query"


def _unknown(name: str, known: Collection[str]) -> str:
    nearest = _nearest(name.lower(), known)
    if nearest:
        return f"is not a parameter of this route: did you mean `{nearest}`?"
    if not known:
        return "is not a parameter of this route, which has no query parameters"
    return "is not a parameter of this route. It has: " + ", ".join(f"`{each}`" for each in known)


def _nearest(name: str, known: Collection[str]) -> str | None:
    for own, others in _ALSO_CALLED.items():
        if own in known and name in others:
            return own
    from difflib import get_close_matches  # noqa: PLC0415 - only a wrong name needs it, not every cold start.

    return next(iter(get_close_matches(name, list(known), n=1, cutoff=_SIMILARITY_MIN)), None)
