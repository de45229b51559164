"""The page at /docs: the OpenAPI document as HTML without scripts, readable on a phone."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

from tools.interface.page_operation import operation_html
from tools.interface.page_schema import schema_html
from tools.interface.page_style import STYLE
from tools.interface.refusals import every_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

Document = dict[str, Any]


def page(document: Document) -> str:
    """The whole page."""
    info = document["info"]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(info["title"])}: HTTP interface</title>
<style>
{STYLE}</style>
</head>
<body>
<main>
<h1>{escape(info["title"])}</h1>
<p class="soft">{escape(info["summary"])} Version {escape(info["version"])} of the HTTP interface;
<a href="openapi.json">as an OpenAPI document</a>.</p>
{_contents(document)}
<h2 id="about">How to ask</h2>
{paragraphs(info["description"])}
{"".join(_tags(document))}
<h2 id="problems">Problems</h2>
<p>What the last part of a problem's <code>type</code> can be.</p>
<dl>
{_problems()}
</dl>
<h2 id="shapes">What is sent and answered</h2>
{"".join(schema_html(name, schema) for name, schema in document["components"]["schemas"].items())}
</main>
</body>
</html>
"""


def paragraphs(text: str) -> str:
    """Paragraphs with `code` and **stress**, the two marks our descriptions use."""
    html = escape(text, quote=False)
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", html)
    html = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", html)
    return "\n".join(f"<p>{part}</p>" for part in html.strip().split("\n\n"))


def operations(document: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of every route."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _contents(document: Document) -> str:
    lines = [
        f'<li><a href="#{operation["operationId"]}"><span class="method">{method}</span>'
        f"<code>{escape(path)}</code></a></li>"
        for method, path, operation in operations(document)
    ]
    more = (
        '<li><a href="#problems">Problems</a></li>',
        '<li><a href="#shapes">What is sent and answered</a></li>',
    )
    return f'<nav aria-label="Contents"><ul>{"".join((*lines, *more))}</ul></nav>'


def _tags(document: Document) -> Iterator[str]:
    for tag in document["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2>{paragraphs(tag['description'])}"
        for method, path, operation in operations(document):
            if tag["name"] in operation["tags"]:
                yield operation_html(document, method, path, operation)


def _problems() -> str:
    return "\n".join(
        f'<dt id="problem-{kind.slug}"><code>{kind.slug}</code> <span class="soft">{kind.status}</span></dt>'
        f"<dd>{escape(kind.title)}</dd>"
        for kind in every_kind()
    )
