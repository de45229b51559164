from __future__ import annotations

import json

from benchmarks.measured import Measured
from benchmarks.report import as_json, as_markdown

MACHINE = {"cores": "2"}


def test_a_budget_is_kept_up_to_its_last_unit() -> None:
    """At the budget is met, above it is missed, and without one there is nothing to say."""
    lines = [
        Measured("S", "w", value, "WU", budget) for value, budget in ((130, 130), (131, 130), (131, None))
    ]

    assert [line.verdict(1.0) for line in lines] == ["met", "MISSED", ""]


def test_a_slow_machine_excuses_its_own_slowness_and_no_more() -> None:
    """Half as fast, twice the time is no fault of ours; a unit costs the same everywhere."""
    times = [Measured("S", "w", value, "ms", 25) for value in (25, 50, 50.1)]

    assert [line.verdict(2.0) for line in times] == ["met", "slow machine", "MISSED"]
    assert Measured("S", "w", 131, "WU", 130).verdict(2.0) == "MISSED"
    assert Measured("S", "w", 26, "ms", 25).verdict(0.5) == "MISSED"


def test_the_table_says_what_was_measured() -> None:
    """The value, its budget, the verdict, the plain way and how many times as much that is."""
    line = Measured("Units", "a day", 96, "WU", 130, 3_840)

    table = as_markdown(MACHINE, 1.0, [line])
    assert "- cores: 2" in table
    assert "## Units" in table
    assert "| a day | 96.0 WU | 130 WU | met | 3,840 WU | 40.0 |" in table


def test_what_has_neither_budget_nor_comparison_leaves_them_empty() -> None:
    """An empty cell, not a zero that looks measured."""
    assert "| a day | 7.50 ms |  |  |  |  |" in as_markdown(
        MACHINE, 1.0, [Measured("Time", "a day", 7.5, "ms")]
    )


def test_programs_read_the_same_numbers() -> None:
    """The JSON has every line of the table, with its verdict."""
    document = json.loads(as_json(MACHINE, 1.0, [Measured("Units", "a day", 140, "WU", 130, 3_840)]))

    assert document["machine"] == MACHINE
    assert document["slowness"] == 1.0
    assert document["measured"] == [
        {
            "section": "Units",
            "what": "a day",
            "value": 140,
            "unit": "WU",
            "budget": 130,
            "beside": 3840,
            "verdict": "MISSED",
        }
    ]
