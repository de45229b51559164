"""Schemas as HTML: what a value is in a few words, and an object member by member."""

from __future__ import annotations

import re
from html import escape
from typing import Any

Schema = dict[str, Any]

_LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "maxLength": "at most {} characters",
    "pattern": "like <code>{}</code>",
    "default": "<code>{}</code> if left out",
}


def schema_html(name: str, schema: Schema) -> str:
    """One named object, or one named choice."""
    members = "".join(_member(member, of) for member, of in schema.get("properties", {}).items())
    inside = f"<dl>{members}</dl>" if members else f"<p>{kind_html(schema)}</p>"
    text = escape(schema.get("description", ""))
    return f'<section><h3 id="shape-{name}">{name}</h3><p>{text}</p>{inside}</section>'


def kind_html(schema: Schema) -> str:
    """What a value is: a type, a choice, a list, or a link to a named object."""
    match schema:
        case {"$ref": address}:
            name = address.rpartition("/")[2]
            return f'<a href="#shape-{name}">{name}</a>'
        case {"allOf": [first, *_]}:
            return kind_html(first)
        case {"anyOf": choices}:
            return " or ".join(map(kind_html, choices))
        case {"enum": choices} | {"const": choices}:
            listed = choices if isinstance(choices, list) else [choices]
            return " or ".join(f"<code>{escape(str(choice))}</code>" for choice in listed)
        case {"type": "array", "items": items}:
            return f"list of {kind_html(items)}"
    return escape(schema.get("format") or schema.get("type") or "anything")


def limits_html(schema: Schema) -> str:
    """What is asked of a value beyond its type."""
    told = [
        form.format(escape(str(schema[limit])))
        for limit, form in _LIMITS.items()
        if schema.get(limit) is not None
    ]
    return ", ".join(told)


def described_html(schema: Schema, description: str | None) -> str:
    """Description, type and limits, as much as there is of them."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(description or "", quote=False))
    return "; ".join(part for part in (text, limits_html(schema)) if part)


def _member(name: str, schema: Schema) -> str:
    kind = kind_html(schema)
    text = described_html(schema, schema.get("description"))
    return f'<dt><code>{escape(name)}</code> <span class="soft">{kind}</span></dt><dd>{text}</dd>'
