"""docs/configuration.md and docs/logs-and-metrics.md say what the code says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bg_ingest.settings import Settings
from bg_ingest.telemetry import metrics
from tests.support.template_document import template

DOCS = Path(__file__).parents[2] / "docs"
ELSEWHERE = {"-", "Lambda"}


def _rows(file: str, first: str) -> list[list[str]]:
    """The cells of the table whose first column is called so, without their back-ticks."""
    text = (DOCS / file).read_text()
    body = text.partition(f"| {first} |")[2].partition("\n\n")[0]
    return [
        [cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in body.splitlines()[2:]
    ]


def _settings() -> dict[str, list[str]]:
    return {cells[0].strip("| `"): cells for cells in _rows("configuration.md", "setting")}


def test_every_setting_is_explained_and_nothing_else_is() -> None:
    """A setting that nobody can find is none; one that is gone misleads."""
    assert _settings().keys() == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_default_is_as_documented(name: str) -> None:
    """What holds when nobody says otherwise."""
    default = Settings.model_fields[name].default
    shown = default.get_secret_value() if isinstance(default, SecretStr) else default

    assert _settings()[name.upper()][2] == {None: "not set", "": "empty"}.get(shown, str(shown))


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_is_set_where_the_page_says(name: str) -> None:
    """By that parameter or resource of the template, in every function that sets it."""
    sources = _sources(name.upper())
    wanted = _settings()[name.upper()][3].strip("| `")

    assert sources == (set() if wanted in ELSEWHERE else set(wanted.split(", ")))


def _sources(name: str) -> set[str]:
    document = template()
    functions: list[dict[str, Any]] = [
        entry["Properties"]
        for entry in document["Resources"].values()
        if entry["Type"] == "AWS::Serverless::Function"
    ]
    variables = [
        holder.get("Environment", {}).get("Variables", {})
        for holder in (document["Globals"]["Function"], *functions)
    ]
    return {each[name]["Ref"] for each in variables if name in each}


def test_every_metric_is_explained_as_it_is() -> None:
    """Name and dimension, in both directions."""
    rows = _rows("logs-and-metrics.md", "metric")
    documented = {(cells[0].strip("| `"), cells[1].strip("`")) for cells in rows}

    assert documented == {(metric.name, metric.dimension or "-") for metric in metrics.ALL}


def test_every_message_of_the_log_is_explained() -> None:
    """Whoever searches the log finds what to search for on the page."""
    page = (DOCS / "logs-and-metrics.md").read_text()
    root = DOCS.parent
    sources = [*(root / "layers/core/bg_ingest").rglob("*.py"), *(root / "functions").rglob("*.py")]
    told = {
        message for source in sources for message in re.findall(r'\blog\(\s*"([^"]+)"', source.read_text())
    }

    assert told
    assert not [message for message in told if f"`{message}`" not in page]
