"""Bar of the five glycaemic bands, with the share that each should have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.facades.page.markup import element, joined, table
from bg_ingest.facades.page.wording import duration, percent
from bg_ingest.statistics.bands import HIGH, LOW, VERY_HIGH, VERY_LOW

if TYPE_CHECKING:
    from collections.abc import Mapping

    from markupsafe import Markup

    from bg_ingest.facades.page.wording import Wording

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class BandGoal:
    """One band as the page shows it, and the consensus goal of the time in it (Battelino 2019)."""

    name: str  # In the statistics.
    label: str
    limits: tuple[int | None, int | None]  # The lowest and the highest value, in mg/dL
    goal_percent: int
    judged_by: str | None = None  # The figure that the goal is about, if it is not the band alone.

    def range_in_words(self, wording: Wording) -> str:
        """The edges of the band."""
        least, most = self.limits
        if least is None:
            return f"below {wording.glucose(most)}"
        return (
            f"above {wording.glucose(least)}"
            if most is None
            else f"{wording.glucose(least)} to {wording.glucose(most)}"
        )

    def is_met(self, figures: Mapping[str, Any]) -> bool:
        """Return whether the goal is met."""
        share = figures[self.judged_by] if self.judged_by else figures["bands"][self.name]["percent"]
        met: bool = share > self.goal_percent if self.name == "target" else share < self.goal_percent
        return met

    @property
    def goal_in_words(self) -> Markup:
        """The goal, whose number stays on one line."""
        words = f"{'over' if self.name == 'target' else 'under'} {self.goal_percent} %"
        return joined(element("span", words, class_="nb"), " in all" if self.judged_by else None)


# From the highest to the lowest. The goals of `high` and `low` count the band beyond them as well.
GOALS = (
    BandGoal("very_high", "Very high", (VERY_HIGH, None), 5),
    BandGoal("high", "High", (HIGH + 1, VERY_HIGH), 25, "above_180_percent"),
    BandGoal("target", "In target", (LOW, HIGH), 70),
    BandGoal("low", "Low", (VERY_LOW, LOW - 1), 4, "below_70_percent"),
    BandGoal("very_low", "Very low", (None, VERY_LOW), 1),
)


def band_bar(figures: Mapping[str, Any], wording: Wording) -> Markup:
    """The bar and its table; `figures` are the statistics with at least one reading."""
    shares = {goal.name: figures["bands"][goal.name]["percent"] for goal in GOALS}
    sentence = ", ".join(f"{goal.label.lower()} {percent(shares[goal.name])}" for goal in GOALS)
    return element(
        "figure",
        element(
            "svg", _parts(shares), role="img", aria_label=f"Time in the bands: {sentence}", class_="bands"
        ),
        table(
            "Time in the bands",
            ("Band", "Share, a day", "Goal"),
            (_row(goal, shares[goal.name], figures, wording) for goal in GOALS),
        ),
    )


def _parts(shares: Mapping[str, float]) -> list[Markup]:
    parts, start = [], 0.0
    for goal in reversed(GOALS):
        share = shares[goal.name]
        if share:
            parts.append(
                element(
                    "rect", x=f"{start:.2f}%", width=f"{share:.2f}%", height="100%", class_=f"is-{goal.name}"
                )
            )
        start += share
    return parts


def _row(goal: BandGoal, share: float, figures: Mapping[str, Any], wording: Wording) -> list[Markup | str]:
    swatch = element(
        "svg",
        element("rect", width="100%", height="100%", class_=f"is-{goal.name}"),
        class_="swatch",
        aria_hidden="true",
    )
    unit = element("span", f" {wording.unit}", class_="wide")  # On a narrow screen other figures name it.
    return [
        joined(swatch, goal.label, element("small", goal.range_in_words(wording), unit)),
        joined(percent(share), element("small", duration(_DAY * share / 100) if share else "none")),
        joined(goal.goal_in_words, element("small", "met" if goal.is_met(figures) else "not met")),
    ]
