"""One route as HTML: who may ask, what can be asked, what is answered."""

from __future__ import annotations

from html import escape
from typing import Any

from tools.interface.page_schema import described_html, kind_html

Part = dict[str, Any]


def operation_html(document: Part, method: str, path: str, operation: Part) -> str:
    """One route."""
    answers = "".join(_answer(document, *entry) for entry in operation["responses"].items())
    return (
        f'<section><h3 id="{operation["operationId"]}"><span class="method">{method}</span>'
        f"<code>{escape(path)}</code></h3>"
        f"<p>{_text(operation['summary'])}</p>"
        f'<p class="soft">{_who(operation)}</p>'
        f"{_asked(document, operation)}"
        f"<h4>Answers</h4><dl>{answers}</dl>"
        "</section>"
    )


def _who(operation: Part) -> str:
    for choice in operation["security"]:
        if "service" in choice:
            return f"For the person, or a service with <code>{escape(choice['service'][0])}</code>."
    return "Open to everybody."


def _asked(document: Part, operation: Part) -> str:
    entries = [_parameter(_resolved(document, entry)) for entry in operation["parameters"]]
    if body := operation.get("requestBody"):
        kind = kind_html(body["content"]["application/json"]["schema"])
        text = _text(body["description"])
        entries.append(f'<dt>Body <span class="soft">{kind}</span></dt><dd>{text}</dd>')
    return f"<h4>Asked with</h4><dl>{''.join(entries)}</dl>"


def _parameter(entry: Part) -> str:
    schema = entry["schema"]
    needed = "required" if entry.get("required") else "optional"
    return (
        f'<dt><code>{escape(entry["name"])}</code> <span class="soft">{entry["in"]}, {needed},'
        f" {kind_html(schema)}</span></dt><dd>{described_html(schema, entry.get('description'))}</dd>"
    )


def _answer(document: Part, status: str, answer: Part) -> str:
    answer = _resolved(document, answer)
    forms = ", ".join(
        f"{kind_html(content['schema'])} <code>{media}</code>"
        for media, content in answer.get("content", {}).items()
    )
    headers = ", ".join(
        f"<code>{name}</code>" for name in answer.get("headers", {}) if name not in _EVERYWHERE
    )
    more = "".join(
        f'<br><span class="soft">{part}</span>' for part in (forms, headers and f"with {headers}") if part
    )
    return f"<dt><strong>{status}</strong></dt><dd>{_text(answer['description'])}{more}</dd>"


_EVERYWHERE = {"X-Correlation-ID", "Cache-Control"}  # Said once, at the top.


def _resolved(document: Part, part: Part) -> Part:
    if "$ref" not in part:
        return part
    _, _, group, name = part["$ref"].split("/")
    found: Part = document["components"][group][name]
    return found


def _text(text: str) -> str:
    return described_html({}, text)
