"""The query grammar of API v1: `count`, and `find[field][$operator]=value`."""

from __future__ import annotations

import operator
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nightscout_sim.clock import to_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nightscout_sim.entries import Entry

COUNT_DEFAULT = 10
_FIND = re.compile(r"find\[(?P<field>\w+)\](\[\$(?P<operator>\w+)\])?", re.ASCII)
_NUMBERS = {"date", "sgv", "filtered", "unfiltered", "rssi", "noise", "mbg"}
_FOUR_DAYS_MS = 4 * 86_400_000
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
}


class QueryInvalid(ValueError):
    """Nightscout answers such a query with 500."""


def selected(entries: Sequence[Entry], query: dict[str, str], now_ms: int, count_max: int) -> list[Entry]:
    """The entries that a query asks for; `entries` are newest first and so is the result."""
    tests = [_test(found, value) for name, value in query.items() if (found := _FIND.fullmatch(name))]
    fields = {found["field"] for name in query if (found := _FIND.fullmatch(name))}
    if not fields & {"date", "dateString", "_id"}:
        tests.append(lambda entry: entry["date"] >= now_ms - _FOUR_DAYS_MS)
    matching = [entry for entry in entries if all(test(entry) for test in tests)]
    return matching[: _count(query.get("count"), count_max, everything=bool(fields))]


def _count(text: str | None, count_max: int, *, everything: bool) -> int:
    if text is None:
        return min(COUNT_DEFAULT, count_max)
    if not text.isdigit():
        raise QueryInvalid("count")
    count = int(text)
    if count == 0:
        return count_max if everything else 0
    return min(count, count_max)


def _test(found: re.Match[str], value: str) -> Callable[[Entry], bool]:
    field, name = found["field"], found["operator"] or "eq"
    if name not in _OPERATORS:
        raise QueryInvalid("operator")
    compare = _OPERATORS[name]
    wanted = _value(field, value)

    def test(entry: Entry) -> bool:
        given = entry.get(field)
        comparable = isinstance(given, str) == isinstance(wanted, str)
        return given is not None and comparable and compare(given, wanted)

    return test


def _value(field: str, text: str) -> float | str:
    if field not in _NUMBERS:
        return text
    try:
        return float(text)
    except ValueError:
        pass
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise QueryInvalid(field) from None
    return float(to_ms(instant if instant.tzinfo else instant.replace(tzinfo=UTC)))
