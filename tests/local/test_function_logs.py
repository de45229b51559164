"""The choice of log lines."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

import pytest

from local.function_logs import LineFilter, follow
from tests.support.fakes import FakeClock

LINE = json.dumps({"function": "bg-ingest-QueryFunction-1", "correlation_id": "one", "message": "answered"})


@pytest.mark.parametrize(
    ("function", "correlation_id", "shown"),
    [
        (None, None, True),
        ("query", None, True),
        ("QueryFunction", "one", True),
        ("worker", None, False),
        (None, "two", False),
        ("query", "two", False),
    ],
)
def test_lines_are_chosen_by_function_and_id(
    function: str | None, correlation_id: str | None, *, shown: bool
) -> None:
    """Both must match, and a filter that is not set matches every line."""
    assert LineFilter(function, correlation_id).accepts(LINE) is shown


def test_a_filter_hides_text_that_is_not_json() -> None:
    """Such lines have no function and no id; without a filter they are shown."""
    assert LineFilter().accepts("Traceback")
    assert not LineFilter(function="query").accepts("Traceback")


def test_a_line_has_the_ids_of_its_polls() -> None:
    """The worker logs many polls in one line."""
    line = json.dumps({"correlation_id": "one", "polls": [{"correlation_id": "two"}]})
    assert LineFilter(correlation_id="two").accepts(line)
    assert not LineFilter(correlation_id="three").accepts(line)


def test_following_shows_each_line_once() -> None:
    """The lines of before come first, and then what is new."""
    other = json.dumps({"function": "bg-ingest-WorkerFunction-1", "message": "stored"})
    first: list[dict[str, Any]] = [{"eventId": "1", "message": LINE}, {"eventId": "2", "message": other}]
    polls = [first, first, [*first, {"eventId": "3", "message": LINE}]]

    shown = follow(lambda: polls.pop(0), LineFilter(function="query"), FakeClock())

    assert list(islice(shown, 2)) == [LINE, LINE]
    assert not polls
