"""docs/configuration.md and docs/logs-and-metrics.md agree with the code."""

from __future__ import annotations

import re
from typing import Any

from pydantic import SecretStr

from bg_ingest.settings import Settings
from bg_ingest.telemetry import metrics
from tests.support.documents import DOCS, table_rows
from tests.support.template_document import template

NOT_IN_TEMPLATE = {
    "-",
    "Lambda",
    "the queues of the template",
    "the address of the gateway",
}  # Not one parameter or resource.


def _settings() -> dict[str, list[str]]:
    rows = table_rows((DOCS / "configuration.md").read_text(), "setting")
    return {cells[0].strip("`"): [cell.strip("`") for cell in cells] for cells in rows}


def test_every_setting_is_explained_and_nothing_else_is() -> None:
    """The page lists the settings of the code, no more and no fewer."""
    assert _settings().keys() == {name.upper() for name in Settings.model_fields}


def test_a_default_is_as_documented() -> None:
    """The defaults on the page are the defaults of the code."""
    rows, fields = _settings(), Settings.model_fields

    assert {name: rows[name.upper()][2] for name in fields} == {
        name: _shown(field.default) for name, field in fields.items()
    }


def _shown(default: Any) -> str:
    shown = default.get_secret_value() if isinstance(default, SecretStr) else default
    return {None: "not set", "": "empty"}.get(shown, str(shown))


def test_a_setting_is_set_where_the_page_says() -> None:
    """The template passes the named parameter or resource to every function that has the setting."""
    documented = {name: cells[3] for name, cells in _settings().items()}

    assert {name.upper(): _sources(name.upper()) for name in Settings.model_fields} == {
        name: set() if wanted in NOT_IN_TEMPLATE else set(wanted.split(", "))
        for name, wanted in documented.items()
    }


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
    return {source for each in variables if name in each for source in _refs(each[name])}


def _refs(value: Any) -> set[str]:
    """What a value of the template refers to, also in the branches of a condition."""
    if isinstance(value, list):
        return set().union(*map(_refs, value))
    if not isinstance(value, dict):
        return set()
    return {value["Ref"]} if "Ref" in value else _refs(value.get("Fn::If", []))


def test_every_metric_is_explained_as_it_is() -> None:
    """The page and the code have the same metrics, with the same dimension."""
    rows = table_rows((DOCS / "logs-and-metrics.md").read_text(), "metric")
    documented = {(cells[0].strip("`"), cells[1].strip("`")) for cells in rows}

    assert documented == {(metric.name, metric.dimension or "-") for metric in metrics.ALL}


def test_every_message_of_the_log_is_explained() -> None:
    """Each fixed message of a `telemetry.log` call is on the page."""
    page = (DOCS / "logs-and-metrics.md").read_text()
    root = DOCS.parent
    sources = [*(root / "layers/core/bg_ingest").rglob("*.py"), *(root / "functions").rglob("*.py")]
    logged = {
        message
        for source in sources
        for message in re.findall(r'\btelemetry\.log\(\s*"([^"]+)"', source.read_text())
    }

    assert len(logged) > 10
    assert not [message for message in logged if f"`{message}`" not in page]


def test_every_explained_message_exists() -> None:
    """The page lists no message that the code no longer logs."""
    sources = [
        *(DOCS.parent / "layers/core/bg_ingest").rglob("*.py"),
        *(DOCS.parent / "functions").rglob("*.py"),
    ]
    code = "\n".join(source.read_text() for source in sources)
    for cells in table_rows((DOCS / "logs-and-metrics.md").read_text(), "message"):
        for message in re.findall(r"`([^`]+)`", cells[0]):
            assert f'"{message.partition(":")[0]}' in code, message
