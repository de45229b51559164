"""The tables of routes and of problems in docs/api.md."""

from __future__ import annotations

from typing import Any

from tools.interface.document import operations, scope_of
from tools.interface.errors import every_kind

_OWNERS = {"person": "the user's", "grant": "a grant's"}


def with_tables(text: str, document: dict[str, Any]) -> str:
    """Return the text with both tables brought up to date."""
    return _between_marks(_between_marks(text, "routes", _routes(document)), "problems", _problems())


def _routes(document: dict[str, Any]) -> str:
    lines = ["| request | token | responses |", "|---|---|---|"]
    for path, method, operation in operations(document):
        scope = scope_of(operation)
        owners = [name for kind, name in _OWNERS.items() if {kind: []} in operation["security"]]
        token = ", or ".join(owners + [f"one with `{scope}`"] * bool(scope)) or "none"
        lines.append(f"| `{method.upper()} {path}` | {token} | {', '.join(operation['responses'])} |")
    return "\n".join(lines)


def _problems() -> str:
    lines = [f"| {kind.status} | `{kind.slug}` | {kind.title} |" for kind in every_kind()]
    return "\n".join(["| status | last part of `type` | title |", "|---|---|---|", *lines])


def _between_marks(text: str, name: str, table: str) -> str:
    begin, end = f"<!-- {name}: made by `make interface` -->\n", f"<!-- end of {name} -->\n"
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"docs/api.md has no place for {name}")
    return f"{before}{begin}\n{table}\n\n{end}{after}"
