"""HTML and SVG elements whose text is always escaped, and tables of them."""

# Only this module makes `Markup`. Every other module of the package passes plain texts to `element`, which
# escapes them. So no text of a person, a device or a caller can become a tag.

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Child = str | int | float | None | Iterable["Child"]
    Value = str | float | bool | None

_EMPTY = frozenset(
    {"meta", "link", "input", "br", "hr", "line", "rect", "path", "polyline", "polygon", "circle"}
)


def element(name: str, /, *children: Child, **attributes: Value) -> Markup:
    """
    Return one element; `name`, and the names of attributes, must be our own words.

    `class_` is the attribute `class`, and `stroke_width` is `stroke-width`. An attribute that is None or
    False is left out. The result is well-formed XML, so that a test can parse it strictly.
    """
    shown = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _EMPTY and not children:
        return Markup(f"<{name}{shown}/>")  # noqa: S704 - built from escaped parts.
    return Markup(f"<{name}{shown}>{joined(*children)}</{name}>")  # noqa: S704 - as above.


def joined(*children: Child) -> Markup:
    """Several texts and elements after each other."""
    return Markup("".join(_parts(children)))  # noqa: S704 - every part is escaped.


def style_sheet(css: str) -> Markup:
    """Return the style element of our own style sheet, which is raw text in HTML."""
    if "<" in css or "&" in css:
        raise ValueError("A style sheet must not contain < or &")
    return Markup(f"<style>{css}</style>")  # noqa: S704 - a constant that was checked.


def whole_document(*children: Child) -> str:
    """Return a page with its document type."""
    return f"<!doctype html>\n{element('html', *children, lang='en')}\n"


def _attribute(key: str, value: Value) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f' {name}="{name if value is True else escape(_number_or_text(value))}"'


def _parts(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if child is None:
            continue
        if isinstance(child, Markup):
            yield child
        elif isinstance(child, (str, int, float)):
            yield escape(_number_or_text(child))
        else:
            yield from _parts(child)


def _number_or_text(value: str | float) -> str:
    match value:
        case float():
            # Two decimals are a hundredth of a percent of the width: no screen shows less.
            return f"{value:.2f}".rstrip("0").rstrip(".")
        case str():
            return value  # `str(value)` would make a plain text of markup, which would be escaped again.
        case _:
            return str(value)


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Child]]) -> Markup:
    """A table; the first cell of each row is its head. On a narrow screen it scrolls by itself."""
    head = element("tr", [element("th", name, scope="col") for name in heads])
    body = [
        element("tr", element("th", first, scope="row"), [element("td", cell) for cell in rest])
        for first, *rest in rows
    ]
    whole = element(
        "table",
        element("caption", caption, class_="unseen"),
        element("thead", head),
        element("tbody", body),
    )
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def folded(summary: Child, *content: Child, class_: str = "fold") -> Markup:
    """Content that the reader opens."""
    return element("details", element("summary", summary), content, class_=class_)
