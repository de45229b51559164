"""
Finds numbers that docs/logs-and-metrics.md does not explain; such a number could be a glucose value.

A log line has a fixed message and named facts, and the page lists every fact. So a number in another fact, or
inside a text, must not be there.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from tests.support.documents import DOCS, table_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAGE = DOCS / "logs-and-metrics.md"
# Members of every line; instants, ids from callers and lines of code may contain numbers.
_ANYTHING = {"_aws", "timestamp", "correlation_id", "at"}
# A number alone: not the 3 of /v3/, the 2 of 2xx or digits inside an id.
_BARE = re.compile(r"(?<![\w./-])-?\d+(?:\.\d+)?(?![\w/-])")
# Counts in our exceptions, limits of settings, and error statuses.
_IN_ERRORS = re.compile(
    r"(?:\d+ to )?\d+ (?:items|orders|shards|times|bytes|without JSON)\b|format \d+|or equal to \d+"
    r"|pattern '\S+'|(?:^|[ ('])(?:30[0-8]|[45]\d\d)(?=$|[ '])"
)


@cache
def explained() -> frozenset[str]:
    """The facts and metrics on the page."""
    text = _PAGE.read_text(encoding="utf-8")
    named = [cells[1] for cells in table_rows(text, "message")]
    named += [cells[0] for cells in table_rows(text, "metric")]
    return frozenset(re.findall(r"`(\w+)`", " ".join(named)))


def unexplained_in_line(line: str) -> list[str]:
    """A finding for each fact of a log line with a number that the page does not explain."""
    try:
        facts = json.loads(line)
    except ValueError:
        return []
    if not isinstance(facts, dict):
        return []
    return [
        f"a number that nothing explains ({name})"
        for name, value in facts.items()
        if name not in _ANYTHING and not _is_explained(name, value)
    ]


def unexplained_in_error(text: str) -> list[str]:
    """A finding if the text of an exception contains a number that is neither an error status nor a count."""
    return ["a number that nothing explains"] if _BARE.search(_IN_ERRORS.sub("", text)) else []


def _is_explained(name: str, value: Any) -> bool:
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        facts = [fact for each in value for fact in each.items()]
        return all(name in _ANYTHING or _is_explained(name, fact) for name, fact in facts)
    if name in explained() and not isinstance(value, str):
        return True
    return not any(map(_has_number, _plain(value)))


def _plain(value: Any) -> Iterator[Any]:
    """All plain values inside a value, at any depth."""
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        for each in value:
            yield from _plain(each)
    else:
        yield value


def _has_number(value: Any) -> bool:
    if isinstance(value, str):
        return _BARE.search(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)
