"""
Numbers that nothing explains: what a glucose value would be that got out without its name and its unit.

A line of ours has a fixed message and named facts, and docs/logs-and-metrics.md explains every one. So a
number under another name is nobody's fact, and a number within a text is none that belongs there.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAGE = Path(__file__).parents[2] / "docs" / "logs-and-metrics.md"
# What every line has; an instant, a caller's own id and a line of code may well hold numbers.
_ANYTHING = {"_aws", "timestamp", "correlation_id", "at"}
# One that stands by itself: not the 3 of /v3/, the 2 of 2xx or what is inside an id.
_BARE = re.compile(r"(?<![\w./-])-?\d+(?:\.\d+)?(?![\w/-])")
# What our exceptions count, the limits that settings have, and the statuses that are refusals.
_IN_ERRORS = re.compile(
    r"(?:\d+ to )?\d+ (?:items|orders|times|bytes|without JSON)\b|format \d+|or equal to \d+|pattern '\S+'"
    r"|(?:^|[ ('])(?:30[0-8]|[45]\d\d)(?=$|[ '])"
)


@cache
def explained() -> frozenset[str]:
    """The facts and metrics that the page knows."""
    text = _PAGE.read_text(encoding="utf-8")
    _, _, facts = text.partition("| message | facts | says |\n")
    named = [line.split(" | ")[1] for line in facts.partition("\n\n")[0].splitlines()[1:]]
    _, _, metrics = text.partition("| metric | dimension | is |\n")
    named += [line.split(" | ")[0] for line in metrics.partition("\n\n")[0].splitlines()[1:]]
    return frozenset(re.findall(r"`(\w+)`", " ".join(named)))


def unexplained_in_line(line: str) -> list[str]:
    """The facts of a line of ours that hold a number nobody can explain, by name; no line is no fact."""
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
    """Whether an exception of ours says a number that is neither a refusal's status nor a count."""
    return ["a number that nothing explains"] if _BARE.search(_IN_ERRORS.sub("", text)) else []


def _is_explained(name: str, value: Any) -> bool:
    if name in explained() and not isinstance(value, str):
        return True
    return not any(map(_has_number, _plain(value)))


def _plain(value: Any) -> Iterator[Any]:
    """What is inside of it, however deep."""
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
