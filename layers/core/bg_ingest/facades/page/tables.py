"""HTML tables, and the fold that a table is behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.facades.page.markup import element

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from markupsafe import Markup

    from bg_ingest.facades.page.markup import Child


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
