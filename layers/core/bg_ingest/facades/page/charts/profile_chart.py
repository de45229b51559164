"""Chart of the glucose profile: median and percentiles by the time of day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bg_ingest.facades.page.charts.plot import (
    GRID,
    GlucoseScale,
    between_curves,
    curve,
    plot,
    stretched,
    target_band,
    target_limits,
    time_axis,
)
from bg_ingest.facades.page.markup import element, folded, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from markupsafe import Markup

    from bg_ingest.facades.page.wording import Wording

_DAY_MINUTES = 1440
_CURVES = ("p5", "p25", "p50", "p75", "p95")


def profile_chart(profile: Mapping[str, Any], wording: Wording) -> Markup:
    """The chart, its sentence and its table; `profile` is what the API answers."""
    if not profile["readings"]:
        return element("p", "No readings in these days.", class_="muted")
    sentence = profile_sentence(profile, wording)
    return element(
        "figure",
        element("figcaption", sentence),
        _chart(profile, wording, sentence),
        element(
            "ul",
            _key("median", "Median"),
            _key("half", "Half of all readings (25th to 75th percentile)"),
            _key("most", "Nine of ten readings (5th to 95th percentile)"),
            class_="legend",
        ),
        folded("The profile as a table", _table(profile, wording)),
        class_=None if profile["sufficient"] else "too-few",
    )


def profile_sentence(profile: Mapping[str, Any], wording: Wording) -> str:
    """When the median is lowest and highest, in words."""
    medians = [(each["p50"], each["minute"]) for each in profile["smoothed"] if each["p50"] is not None]
    lowest, highest = min(medians), max(medians)
    sentence = (
        f"The median is lowest from {_clock(lowest[1])} ({wording.glucose(lowest[0])}) and highest"
        f" from {_clock(highest[1])} ({wording.glucose(highest[0])} {wording.unit})."
    )
    if profile["sufficient"]:
        return sentence
    return f"Too few readings to judge. {sentence}"


def _chart(profile: Mapping[str, Any], wording: Wording, sentence: str) -> Markup:
    scale = GlucoseScale(max(each["p95"] or 0 for each in profile["smoothed"]))
    shapes = []
    for run in _runs(profile["smoothed"], profile["bin_minutes"]):
        line = {
            name: [(GRID * minute / _DAY_MINUTES, scale.y(each[name])) for minute, each in run]
            for name in _CURVES
        }
        shapes += [
            between_curves(line["p95"], line["p5"], "most"),
            between_curves(line["p75"], line["p25"], "half"),
            curve(line["p50"], "line median"),
        ]
    ticks = [(100 * hour / 24, f"{hour % 24:02}:00", True) for hour in range(0, 25, 6)]
    texts = target_limits(scale, wording), time_axis(ticks)
    return plot(sentence, target_band(scale), stretched(shapes), *texts, class_="tall")


def _runs(
    points: Sequence[Mapping[str, Any]], bin_minutes: int
) -> Iterator[list[tuple[float, Mapping[str, Any]]]]:
    """The points that follow each other, each at the middle of its part of the day."""
    run: list[tuple[float, Mapping[str, Any]]] = []
    for each in _with_edges(points, bin_minutes):
        if each[1]["p50"] is not None:
            run.append(each)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _with_edges(
    points: Sequence[Mapping[str, Any]], bin_minutes: int
) -> list[tuple[float, Mapping[str, Any]]]:
    """The points, and both midnights between the last and the first one."""
    middle = bin_minutes / 2
    inner = [(each["minute"] + middle, each) for each in points]
    first, last = points[0], points[-1]
    if first["p50"] is None or last["p50"] is None:
        return inner
    midnight = {name: (first[name] + last[name]) / 2 for name in _CURVES}
    return [(0.0, midnight), *inner, (float(_DAY_MINUTES), midnight)]


def _key(class_: str, text: str) -> Markup:
    shape = element("rect", width="100%", height="100%", class_=class_)
    if class_ == "median":
        shape = element("line", x1="0", x2="100%", y1="50%", y2="50%", class_="line median")
    return element("li", element("svg", shape, class_="swatch", aria_hidden="true"), text)


def _table(profile: Mapping[str, Any], wording: Wording) -> Markup:
    return table(
        f"Percentiles by the time of day, not smoothed, in {wording.unit}",
        ("From", "Readings", "5 %", "25 %", "50 %", "75 %", "95 %"),
        (
            (_clock(each["minute"]), each["n"], *(wording.glucose(each[name]) for name in _CURVES))
            for each in profile["bins"]
        ),
    )


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
