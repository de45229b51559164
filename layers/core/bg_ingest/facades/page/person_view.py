"""What the page of one person shows; a part that is None is left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bg_ingest.facades.page.charts.day_chart import named_gaps
from bg_ingest.facades.page.flow_of_sources import best_first, sentence_of_sources
from bg_ingest.facades.page.flow_sentence import FlowSentence, Situation, explained_by
from bg_ingest.facades.page.wording import Wording, duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from bg_ingest.facades.page.charts.day_chart import NamedGap, Trace

_ARROWS = {
    "doubleUp": ("↑↑", "rising fast"),
    "singleUp": ("↑", "rising"),
    "fortyFiveUp": ("↗", "rising slowly"),
    "flat": ("→", "steady"),
    "fortyFiveDown": ("↘", "falling slowly"),
    "singleDown": ("↓", "falling"),
    "doubleDown": ("↓↓", "falling fast"),
}
# A sensor sends no number outside its range.
_BEYOND_THE_SENSOR = {
    "low": ("LOW", "below what the sensor can measure"),
    "high": ("HIGH", "above what the sensor can measure"),
}


@dataclass(frozen=True, slots=True)
class SourceView:
    """One source of the person, or one that they can connect, and how often it is polled."""

    situation: Situation
    interval: timedelta

    @property
    def key(self) -> str:
        """The name of its provider in forms."""
        return self.situation.provider.lower()


@dataclass(frozen=True, slots=True)
class PersonView:
    """The values of one page. Mappings are those that the API answers, with less of the period before."""

    name: str = field(repr=False)  # The person of the page.
    wording: Wording
    sources: Sequence[SourceView]  # At least one.
    intervals: Sequence[timedelta] = ()
    zone_choice: str = ""
    newest: Mapping[str, Any] | None = field(default=None, repr=False)  # A reading, as `latest` answers it.
    trace: Trace | None = field(default=None, repr=False)  # The last 24 hours.
    days: Sequence[Mapping[str, Any]] | None = field(default=None, repr=False)
    statistics: Mapping[str, Any] | None = field(default=None, repr=False)
    profile: Mapping[str, Any] | None = field(default=None, repr=False)
    jobs: Sequence[Mapping[str, Any]] | None = field(default=None, repr=False)
    grants: Sequence[Mapping[str, Any]] | None = field(default=None, repr=False)
    audit: Sequence[Mapping[str, Any]] | None = field(default=None, repr=False)
    own_names: frozenset[str] = field(default=frozenset(), repr=False)  # Of the person, in the audit log.
    notice: str | None = None
    shows_flow: bool = True
    reader: str | None = field(default=None, repr=False)  # The label of the grant that opened the page.

    @property
    def sentence(self) -> FlowSentence:
        """The sentence at its head."""
        return sentence_of_sources(self.situations, self._newest_at, self.wording)

    @property
    def situations(self) -> list[Situation]:
        """The sources, the best first."""
        return best_first([each.situation for each in self.sources], self.wording.now)

    @property
    def known(self) -> list[Situation]:
        """The sources that are or were connected, the best first."""
        return [each for each in self.situations if each.syncs]

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever connected and no reading is stored."""
        return self.newest is None and not self.known

    @property
    def gaps(self) -> tuple[NamedGap, ...]:
        """The gaps of the last 24 hours."""
        return named_gaps(self.trace or (), self.situations, self.wording.now)

    @property
    def _newest_at(self) -> datetime | None:
        return datetime.fromisoformat(self.newest["timestamp"]) if self.newest else None


@dataclass(frozen=True, slots=True)
class NowView:
    """The newest reading as it is shown."""

    value: str
    is_word: bool
    unit: str
    arrow: str
    trend: str
    age: str
    is_old: bool


def now_view(view: PersonView) -> NowView | None:
    """The newest reading; None for a user without readings."""
    newest = view.newest
    if newest is None:
        return None
    at = datetime.fromisoformat(newest["timestamp"])
    arrow, trend = _ARROWS.get(newest["trend"] or "", ("", "trend unknown"))
    in_numbers = view.wording.glucose(newest["glucose_mg_dl"]), view.wording.unit
    value, unit = _BEYOND_THE_SENSOR.get(newest["status"] or "", in_numbers)
    return NowView(
        value=value,
        is_word=value.isalpha(),
        unit=unit,
        arrow=arrow,
        trend=trend,
        age=f"{duration(view.wording.now - at)} old, {view.wording.clock(at)}",
        is_old=view.wording.now - at > explained_by(view.situations[0]),
    )
