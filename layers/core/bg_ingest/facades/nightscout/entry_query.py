"""
Query grammar of Nightscout's entries, parsed from the raw query string.

    count=N                     at most N entries; 10 if left out; 0 with a find means every match
    find[FIELD][$OP]=V          $gt $gte $lt $lte $eq $ne $in $nin $exists $regex
    find[FIELD]=V               equals

- All conditions must hold. Names may be percent-encoded. Parameters with other names are ignored.
- `date` takes milliseconds, also with a fraction, or an ISO date. `dateString` takes an ISO date, a month or
  a year. An unreadable value is an error.
- Without a condition on date, dateString or _id, the entries of the last four days are searched.
- A field that no entry has matches nothing, except by $ne, $nin and `$exists=false`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from bg_ingest.facades.nightscout.sgv_entry import ID_PATTERN, instant_of_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.facades.nightscout.sgv_entry import Entry

COUNT_DEFAULT = 10
COUNT_MAX = 100_000  # More than a year of readings; Scoutnight asks for it.
WINDOW_DEFAULT = timedelta(days=4)
CONDITIONS_MAX = 20
_PATTERN_MAX = 100
_QUANTIFIERS_MAX = 2
_NAME = re.compile(r"find\[([^\[\]]+)\](?:\[(\$?\w+)\])?(?:\[\d*\])?", re.ASCII)
_COUNT = re.compile(r"\s*(\d{1,9})", re.ASCII)
_TIMES = frozenset({"date", "dateString", "mills", "sysTime"})
_NUMBERS = frozenset({"sgv", "filtered", "unfiltered", "rssi", "noise", "mbg", "utcOffset", "trend", "delta"})
_TEXTS = frozenset({"_id", "type", "direction", "device", "identifier"})
_ISO = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?)?)?"
    r"\s*(Z|[+-]\d\d:?\d\d| \d\d:?\d\d)?",
    re.ASCII | re.IGNORECASE,
)
_NESTED = re.compile(r"\)\s*[*+?{]|\\[1-9]|\(\?")
_QUANTIFIER = re.compile(r"(?<!\\)[*+?{]")
_NAMING = frozenset({"$eq", "$in"})  # With such an _id no other entry can match.
_ONE_MS = timedelta(milliseconds=1)
_EARLIEST_MS, _LATEST_MS = -62_135_596_800_000, 253_402_300_799_000


class QueryInvalid(Exception):
    """The query cannot be answered; the text says why and repeats no value."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on a field; `values` has several members for $in and $nin only."""

    field: str
    operator: str
    values: tuple[Any, ...]

    def holds(self, entry: Entry) -> bool:
        """Whether the entry meets the condition."""
        return _OPERATORS[self.operator](_value_of(entry, self.field), self.values)


@dataclass(frozen=True, slots=True)
class EntryQuery:
    """What a client asks for; with `count_max` None, every match."""

    conditions: tuple[Condition, ...]
    count_max: int | None

    def holds(self, entry: Entry) -> bool:
        """Whether the entry meets all conditions."""
        return all(condition.holds(entry) for condition in self.conditions)

    def window(self, now: datetime) -> tuple[datetime, datetime]:
        """The range of time outside which no entry can match, its end excluded."""
        named = [each.values for each in self.conditions if each.field == "_id" and each.operator in _NAMING]
        if named:
            times = [instant_of_id(value) for value in named[0] if ID_PATTERN.fullmatch(value)]
            return (min(times), max(times) + _ONE_MS) if times else (now, now)
        start_ms, end_ms = float(_EARLIEST_MS), float(_LATEST_MS)
        timed = [each for each in self.conditions if each.field in {"date", "dateString"}]
        if not timed:
            start_ms = (now - WINDOW_DEFAULT).timestamp() * 1000
        for condition in timed:
            (value, *_) = condition.values
            if condition.operator in {"$gt", "$gte", "$eq"}:
                start_ms = max(start_ms, value)
            if condition.operator in {"$lt", "$lte", "$eq"}:
                end_ms = min(end_ms, value)
        return _instant(math.floor(start_ms)), _instant(math.ceil(end_ms)) + _ONE_MS


def parse_query(raw_query: str) -> EntryQuery:
    """Parse a raw query string; raises QueryInvalid."""
    pairs = parse_qsl(raw_query, keep_blank_values=True, errors="replace")
    values: dict[tuple[str, str], list[str]] = {}
    for name, value in pairs:
        found = _NAME.fullmatch(name)
        if found:
            values.setdefault((found[1], found[2] or "$eq"), []).append(value)
    if sum(map(len, values.values())) > CONDITIONS_MAX:
        raise QueryInvalid("Too many conditions")
    conditions = [each for (name, operator), sent in values.items() for each in _parsed(name, operator, sent)]
    has_find = any(name.startswith("find") for name, _ in pairs)
    return EntryQuery(tuple(conditions), _count(dict(reversed(pairs)).get("count", ""), has_find=has_find))


def time_ms(text: str, *, is_year_first: bool = True) -> float:
    """Parse a time: milliseconds, or an ISO date, month or year in UTC; raises QueryInvalid."""
    iso = _ISO.fullmatch(text.strip())
    try:
        if iso and (is_year_first or not text.strip().isdecimal()):
            return _iso_ms(iso)
        number = float(text)
    except (ValueError, OverflowError):
        number = math.nan
    if math.isnan(number):
        raise QueryInvalid("Cannot parse a value as a valid ISO-8601 date")
    return min(max(number, _EARLIEST_MS), _LATEST_MS)


def _iso_ms(iso: re.Match[str]) -> float:
    year, month, day, hour, minute, second, fraction, zone = iso.groups()
    micros = int((fraction or "0").ljust(6, "0")[:6])
    moment = datetime(
        int(year),
        int(month or 1),
        int(day or 1),
        int(hour or 0),
        int(minute or 0),
        int(second or 0),
        micros,
        tzinfo=UTC,
    )
    return (moment - _zone(zone)).timestamp() * 1000


def _zone(text: str | None) -> timedelta:
    # A space is a plus that the client did not encode.
    if not text or text in "Zz":
        return timedelta(0)
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -offset if text[0] == "-" else offset


def _count(text: str, *, has_find: bool) -> int | None:
    if not text:
        return COUNT_DEFAULT
    found = _COUNT.match(text)  # As parseInt: a character after the digits is ignored.
    if not found:
        raise QueryInvalid("`count` must be a whole number")
    count = int(found[1])
    if count == 0 and has_find:
        return COUNT_MAX
    return min(count, COUNT_MAX)


def _parsed(field: str, operator: str, sent: list[str]) -> list[Condition]:
    if operator not in _OPERATORS:
        raise QueryInvalid("An operator is not supported")
    if operator in {"$in", "$nin"}:
        texts = [part for text in sent for part in text.split(",")]
        return [Condition(field, operator, tuple(_typed(field, text) for text in texts))]
    if operator == "$exists":
        return [Condition(field, operator, (text not in {"false", "0"},)) for text in sent]
    if operator == "$regex":
        return [Condition(field, operator, (_pattern(text),)) for text in sent]
    return [Condition(field, operator, (_typed(field, text),)) for text in sent]


def _typed(field: str, text: str) -> Any:
    if field in _TIMES:
        return time_ms(text, is_year_first=field in {"dateString", "sysTime"})
    if field in _NUMBERS:
        try:
            return float(text)
        except ValueError:
            return math.nan  # Equal to nothing.
    return text


def _pattern(text: str) -> re.Pattern[str]:
    """A pattern that takes no long time on any short text: quantifiers are few and not nested."""
    if len(text) > _PATTERN_MAX or _NESTED.search(text) or len(_QUANTIFIER.findall(text)) > _QUANTIFIERS_MAX:
        raise QueryInvalid("The regular expression is not supported")
    try:
        return re.compile(text, re.ASCII)
    except (re.error, OverflowError, RecursionError):
        raise QueryInvalid("The regular expression is not valid") from None


def _value_of(entry: Entry, field: str) -> Any:
    if field in _TIMES:
        return entry["date"]
    return entry.get(field) if field in _NUMBERS or field in _TEXTS else None


def _instant(ms: float) -> datetime:
    clamped = min(max(ms, _EARLIEST_MS), _LATEST_MS)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=clamped)


def _comparing(compare: Callable[[Any, Any], bool]) -> Callable[[Any, tuple[Any, ...]], bool]:
    return lambda own, values: own is not None and compare(own, values[0])


_OPERATORS: dict[str, Callable[[Any, tuple[Any, ...]], bool]] = {
    "$gt": _comparing(lambda own, value: own > value),
    "$gte": _comparing(lambda own, value: own >= value),
    "$lt": _comparing(lambda own, value: own < value),
    "$lte": _comparing(lambda own, value: own <= value),
    "$eq": _comparing(lambda own, value: bool(own == value)),
    "$ne": lambda own, values: own != values[0],
    "$in": lambda own, values: own in values,
    "$nin": lambda own, values: own not in values,
    "$exists": lambda own, values: (own is not None) is values[0],
    "$regex": lambda own, values: isinstance(own, str) and values[0].search(own) is not None,
}
