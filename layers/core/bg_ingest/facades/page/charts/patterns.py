"""Fill patterns and status marks, so that no meaning depends on color alone."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from bg_ingest.facades.page.flow_sentence import FlowStatus
from bg_ingest.facades.page.markup import element

if TYPE_CHECKING:
    from markupsafe import Markup

_SIZE = 8
_DIAGONAL, _BACK = "M-2 2l4-4M0 8l8-8M6 10l4-4", "M-2 6l4 4M0 0l8 8M6-2l4 4"
_ROWS = "M0 4h8"
# Drawn in a square of 24: a check, a clock, a spanner's turn, a plug, a square.
_MARKS = {
    FlowStatus.FLOWING: "M7 12.5l3.5 3.5L17 9",
    FlowStatus.LATE_AT_PROVIDER: "M12 7v5.5l3.5 2",
    FlowStatus.LATE_AT_US: "M12 7v6M12 16.6v.1",
    FlowStatus.CONNECT_AGAIN: "M9 7v3.5M15 7v3.5M7.5 10.5h9v1.5a4.5 4.5 0 0 1-9 0zM12 16.5V19",
    FlowStatus.STOPPED: "M9 9h6v6H9z",
}


@cache
def patterns() -> Markup:
    """The patterns, which the style sheet refers to."""
    return element(
        "svg",
        element(
            "defs",
            _pattern("lines", "paper", element("path", d=_DIAGONAL, class_="ink")),
            _pattern("cross", "paper", element("path", d=_DIAGONAL + _BACK, class_="ink")),
            _pattern("rows", "paper", element("path", d=_ROWS, class_="ink")),
            _pattern("dots", "paper", *_spots("spot")),
            _pattern("high", "fill-high", element("path", d=_DIAGONAL, class_="over")),
            _pattern("very-high", "fill-very-high", element("path", d=_DIAGONAL + _BACK, class_="over")),
            _pattern("low", "fill-low", *_spots("over-spot")),
            _pattern("very-low", "fill-very-low", element("path", d=_ROWS, class_="over")),
        ),
        class_="defs",
        aria_hidden="true",
    )


def marks(status: FlowStatus) -> Markup:
    """The mark of a status."""
    return element(
        "svg",
        element("circle", cx=12, cy=12, r=11.5),
        element("path", d=_MARKS[status]),
        viewBox="0 0 24 24",
        class_="mark",
        aria_hidden="true",
    )


def _pattern(name: str, ground: str, *shapes: Markup) -> Markup:
    return element(
        "pattern",
        element("rect", width=_SIZE, height=_SIZE, class_=ground),
        shapes,
        id=name,
        width=_SIZE,
        height=_SIZE,
        patternUnits="userSpaceOnUse",
    )


def _spots(class_: str) -> list[Markup]:
    return [element("circle", cx=x, cy=y, r=1.25, class_=class_) for x, y in ((2, 2), (6, 6))]
