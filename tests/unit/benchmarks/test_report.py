from __future__ import annotations

import json

from benchmarks import cold_start, routes
from benchmarks.measured import Measured
from benchmarks.report import as_json, as_markdown
from local.paths import CHECKOUT

MACHINE = {"cores": "2"}


def test_a_value_equal_to_its_budget_is_met() -> None:
    """A value at the budget is met, above it is missed, and without a budget the verdict is empty."""
    lines = [
        Measured("S", "w", value, "WU", budget) for value, budget in ((130, 130), (131, 130), (131, None))
    ]

    assert [line.verdict(1.0) for line in lines] == ["met", "MISSED", ""]


def test_a_slow_machine_excuses_only_its_own_slowness() -> None:
    """At half the reference's speed twice the time is excused; a count is the same on every machine."""
    times = [Measured("S", "w", value, "ms", 25) for value in (25, 50, 50.1)]

    assert [line.verdict(2.0) for line in times] == ["met", "slow machine", "MISSED"]
    assert Measured("S", "w", 131, "WU", 130).verdict(2.0) == "MISSED"
    assert Measured("S", "w", 26, "ms", 25).verdict(0.5) == "MISSED"


def test_the_table_shows_the_measurements() -> None:
    """A row has the value, its budget, the verdict, the plain design and the ratio."""
    line = Measured("Units", "a day", 96, "WU", 130, 3_840)

    table = as_markdown(MACHINE, 1.0, [line])
    assert "- cores: 2" in table
    assert "## Units" in table
    assert "| a day | 96.0 WU | 130 WU | met | 3,840 WU | 40.0 |" in table


def test_missing_budget_or_comparison_leaves_the_cell_empty() -> None:
    """The cell is empty, because a zero would look like a measurement."""
    assert "| a day | 7.50 ms |  |  |  |  |" in as_markdown(
        MACHINE, 1.0, [Measured("Time", "a day", 7.5, "ms")]
    )


def test_the_json_has_the_same_numbers() -> None:
    """The JSON has every row of the table with its verdict."""
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


def test_every_function_has_a_cold_start() -> None:
    """A new function is measured too, and its route."""
    # The page has no payload: a session of a browser is sealed with a key of its stack. No user waits for the
    # canary.
    functions = {file.parent.name for file in (CHECKOUT / "functions").glob("*/app.py")} - {"page", "canary"}

    assert set(cold_start.FIRST_EVENTS) == functions
    assert {name.partition("_")[0] for name in routes.ASKED} >= functions & {
        "query",
        "insight",
        "site",
        "export",
    }
