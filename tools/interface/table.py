"""The tables in docs/api.md: routes and problems."""

from __future__ import annotations

from typing import Any

from tools.interface.page import operations
from tools.interface.refusals import every_kind


def with_tables(text: str, document: dict[str, Any]) -> str:
    """The text with both tables brought up to date."""
    return _between_marks(_between_marks(text, "routes", _routes(document)), "problems", _problems())


def _routes(document: dict[str, Any]) -> str:
    """A line for each route: who may ask, and what can come back."""
    lines = ["| request | for | answers |", "|---|---|---|"]
    for method, path, operation in operations(document):
        statuses = ", ".join(operation["responses"])
        lines.append(f"| `{method} {path}` | {_who(operation)} | {statuses} |")
    return "\n".join(lines)


def _problems() -> str:
    lines = [f"| {kind.status} | `{kind.slug}` | {kind.title} |" for kind in every_kind()]
    return "\n".join(["| status | ends the type | |", "|---|---|---|", *lines])


def _who(operation: dict[str, Any]) -> str:
    scopes = [scope for choice in operation["security"] for scope in choice.get("service", ())]
    return f"the person, or `{scopes[0]}`" if scopes else "everybody"


def _between_marks(text: str, name: str, table: str) -> str:
    begin, end = f"<!-- {name}: made by `make interface` -->\n", f"<!-- end of {name} -->\n"
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"docs/api.md has no place for {name}")
    return f"{before}{begin}\n{table}\n\n{end}{after}"
