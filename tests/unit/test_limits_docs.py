"""docs/limits.md names every limit with its value."""

from __future__ import annotations

import re
from collections import Counter

from tests.support.documents import DOCS, table_rows
from tests.support.limits import Limit, limits_in_code, same, value_of

ROWS = {
    Limit(cells[2].strip("`"), cells[0].strip("`")): cells[1]
    for cells in table_rows((DOCS / "limits.md").read_text(), "name")
}
# Numbers that are not limits, and why. Units of time are recognised by their names.
EXCEPTIONS = {
    "_DOUBLINGS_MAX": "keeps a power of two within floats; the wait has a limit of its own",
    "_NO_WAIT_S": "rounding error of floats",
    "_HALF_MINUTE_S": "rounds a clock difference to minutes",
    "_TICKS_MAX": "largest integer that a float represents exactly",
    "_DIGITS_MAX": "guards int() against endless digits",
    "_ONE_DAY": "a unit",
    "_ONE_MS": "a unit",
    "_EARLIEST_MS": "the first instant that Python has",
    "_LATEST_MS": "the last instant that Python has",
    "_BUCKET_MS": "the five minutes of a slot of Nightscout",
    "_HALF_MS": "half of them",
    "_FIVE_MINUTES": "Nightscout gives a change of glucose for five minutes",
    "_SLOTS_PER_HOUR": "a unit",
    "READINGS_PER_HOUR": "sizes a page of a query; any value is correct",
}
_UNIT = re.compile(r"_?(MILLISECOND|SECOND|MINUTE|HOUR|DAY)(_S|_MS)?")


def test_every_limit_of_the_code_is_on_the_page() -> None:
    """Each constant and default whose name or type marks it as a limit has a row."""
    wanted = {
        limit
        for limit in limits_in_code()
        if limit.name not in EXCEPTIONS and not _UNIT.fullmatch(limit.name)
    }

    assert wanted - ROWS.keys() == set()


def test_a_limit_has_the_value_of_its_row() -> None:
    """Each name exists in its file, with that value."""
    assert {limit: value_of(limit) for limit, row in ROWS.items() if not same(row, value_of(limit))} == {}


def test_every_row_is_there_once() -> None:
    """A second row for the same name and file would hide a contradiction."""
    rows = list(table_rows((DOCS / "limits.md").read_text(), "name"))

    assert not [key for key, times in Counter((cells[0], cells[2]) for cells in rows).items() if times > 1]


def test_an_exception_still_exists() -> None:
    """The list of exceptions names no constant that is gone."""
    assert EXCEPTIONS.keys() <= {limit.name for limit in limits_in_code()}


def test_a_limit_that_a_row_refers_to_exists() -> None:
    """The last column names limits of the page."""
    names = {limit.name for limit in ROWS}
    settled: set[str] = set()
    for cells in table_rows((DOCS / "limits.md").read_text(), "name"):
        for name in re.findall(r"`([A-Z]\w*(?:\.\w+)?|[a-z]\w+_\w+)`", cells[3]):
            assert name in names | settled or any(full.endswith(f".{name}") for full in names), cells[0]
