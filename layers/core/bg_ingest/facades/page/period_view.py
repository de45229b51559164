"""Statistics of the last days: a sentence against the days before, the bands and four figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bg_ingest.facades.page.charts.band_bar import band_bar
from bg_ingest.facades.page.markup import element, joined
from bg_ingest.facades.page.wording import counted
from bg_ingest.statistics.days import ACTIVE_PERCENT_MIN, DAYS_MIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from markupsafe import Markup

    from bg_ingest.facades.page.wording import Wording

Figures = "Mapping[str, Any]"  # What the API answers as statistics.
_SAME_BY = 0.5  # Percent points; a smaller difference counts as none.


def period_view(figures: Mapping[str, Any], wording: Wording) -> Markup:
    """The section; without enough readings it is grey and says why."""
    if not figures["readings"]:
        return element("p", "No readings in these days.", class_="muted")
    content = joined(
        element("p", period_sentence(figures), class_="lead"),
        band_bar(figures, wording),
        _tiles(figures, wording),
    )
    return content if figures["sufficient"] else element("div", content, class_="too-few")


def period_sentence(figures: Mapping[str, Any]) -> str:
    """What the days say, against the days before."""
    if not figures["sufficient"]:
        return f"{too_few(figures)} The figures are here, but they say little yet."
    share = figures["bands"]["target"]["percent"]
    sentence = f"{share:.0f} % of the time in target"
    before = figures["previous"]
    if not before or not before["sufficient"]:
        return f"{sentence}. The days before have too few readings to compare with."
    points = share - before["bands"]["target"]["percent"]
    if abs(points) < _SAME_BY:
        return f"{sentence}, as in the {_days(figures)} days before."
    than = f"{'more' if points > 0 else 'less'} than in the {_days(figures)} days before"
    return f"{sentence}, {counted(round(abs(points)) or 1, 'point')} {than}."


def too_few(figures: Mapping[str, Any]) -> str:
    """Why the days are insufficient."""
    days = max(DAYS_MIN, _days(figures))
    there = sum(day["received"] > 0 for day in figures["by_day"])
    text, active_percent = f"{there} of {days} days have readings", figures["active_percent"] or 0
    if active_percent < ACTIVE_PERCENT_MIN:
        # 69.97 is shown as 69.9: "70.0 %, and 70 % are needed" would not explain it.
        shown = min(active_percent, ACTIVE_PERCENT_MIN - 0.1)
        text += f"; {shown:.1f} % of all expected ones are here, and {ACTIVE_PERCENT_MIN} % are needed"
    return f"{text}: too few to judge."


def _days(figures: Mapping[str, Any]) -> int:
    return len(figures["by_day"])


def _tiles(figures: Mapping[str, Any], wording: Wording) -> Markup:
    cv, gmi, gri = figures["cv_percent"], figures["gmi_percent"], figures["gri"]
    return element(
        "dl",
        _tile("Mean", wording.glucose(figures["mean_mg_dl"]), wording.unit, "average glucose"),
        _tile("GMI", f"{gmi:.1f}", "%", "close to a laboratory's HbA1c"),
        _tile("CV", "—" if cv is None else f"{cv:.0f}", "%", "spread; up to 36 % counts as stable"),
        _tile("GRI", f"{gri['value']:.0f}", f"zone {gri['zone']}", "risk of lows and highs; 0 is best"),
        class_="tiles",
    )


def _tile(name: str, value: str, unit: str, meaning: str) -> Markup:
    return element(
        "div",
        element("dt", name),
        element("dd", element("b", value), " ", unit, element("small", meaning)),
    )
