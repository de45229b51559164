"""SVG plots that fit every width: places in percent, and texts that keep their size."""

#   +-- svg, as wide as the page -----------------------------------+
#   |  rect and text: places in percent, so texts are not stretched |
#   |  +-- inner svg, stretched to the same size ----------------+  |
#   |  |  lines: places on a fixed grid; strokes keep their width |  |
#   |  +---------------------------------------------------------+  |
#   +---------------------------------------------------------------+

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.facades.page.markup import element, joined
from bg_ingest.statistics.bands import HIGH, LOW

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from markupsafe import Markup

    from bg_ingest.facades.page.wording import Wording

GRID = 1000  # The width of the inner svg. Its height is 100, the percent of the outer one.
_TOP, _BOTTOM = 3.0, 88.0  # Percent of the height; the texts of the time axis are below.
_LOWEST, _HIGHEST = 40, 300  # mg/dL that every plot shows, so that two days compare.
_EDGE = 4.0  # Percent of the width, in which a text stays inside.


class GlucoseScale:
    """The heights of glucose values in one plot."""

    def __init__(self, highest: float) -> None:
        self.top = max(_HIGHEST, min(highest, 401))

    def y(self, mg_dl: float) -> float:
        """The height of a value, in percent from above."""
        value = min(max(mg_dl, _LOWEST), self.top)
        return _BOTTOM - (value - _LOWEST) / (self.top - _LOWEST) * (_BOTTOM - _TOP)


def plot(description: str, *layers: Markup | Iterable[Markup], class_: str) -> Markup:
    """One plot; the description is what a screen reader says in place of it."""
    return element("svg", layers, role="img", aria_label=description, class_=f"plot {class_}")


def stretched(*shapes: Markup | Iterable[Markup]) -> Markup:
    """Shapes on the fixed grid."""
    return element(
        "svg",
        shapes,
        viewBox=f"0 0 {GRID} 100",
        preserveAspectRatio="none",
        width="100%",
        height="100%",
        aria_hidden="true",
    )


def target_band(scale: GlucoseScale) -> Markup:
    """The target range with its two edges."""
    above, below = scale.y(HIGH), scale.y(LOW)
    return joined(
        element(
            "rect", x="0", y=f"{above:.2f}%", width="100%", height=f"{below - above:.2f}%", class_="band"
        ),
        [
            element("line", x1="0", x2="100%", y1=f"{y:.2f}%", y2=f"{y:.2f}%", class_="limit")
            for y in (above, below)
        ],
    )


def target_limits(scale: GlucoseScale, wording: Wording) -> Markup:
    """The two limits as texts, which are drawn over the line."""
    return joined(
        element(
            "text",
            wording.glucose(limit),
            x="0",
            y=f"{scale.y(limit):.2f}%",
            dy=-4 if limit == HIGH else 14,
            class_="tick",
        )
        for limit in (HIGH, LOW)
    )


def time_axis(ticks: Sequence[tuple[float, str, bool]]) -> Markup:
    """Texts below the plot: place in percent, text, and whether a narrow screen shows it."""
    return joined([_tick(*tick) for tick in ticks])


def curve(points: Sequence[tuple[float, float]], class_: str) -> Markup:
    """A line through points of the grid; one point alone is a dot."""
    return element("path", d=path_data(points), class_=class_)


def path_data(points: Sequence[tuple[float, float]]) -> str:
    """The path through points."""
    places = [f"{round(x)} {y:.1f}" for x, y in points]
    return f"M{'L'.join(places)}" if len(places) > 1 else f"M{places[0]}h0"


def between_curves(
    upper: Sequence[tuple[float, float]], lower: Sequence[tuple[float, float]], class_: str
) -> Markup:
    """The area between two lines."""
    return element("path", d=f"{path_data([*upper, *reversed(lower)])}Z", class_=class_)


def _tick(place: float, text: str, always: bool) -> Markup:  # noqa: FBT001 - a member of a tuple.
    anchor = "start" if place < _EDGE else "end" if place > 100 - _EDGE else "middle"
    return element(
        "text",
        text,
        x=f"{place:.2f}%",
        y="98%",
        text_anchor=anchor,
        class_="tick" if always else "tick wide",
    )
