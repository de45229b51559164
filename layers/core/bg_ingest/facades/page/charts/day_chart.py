"""Chart of the last 24 hours: the line, the target band, and each gap with its name."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.facades.page.charts.plot import (
    GRID,
    GlucoseScale,
    curve,
    plot,
    stretched,
    target_band,
    target_limits,
    time_axis,
)
from bg_ingest.facades.page.markup import element, folded, table
from bg_ingest.facades.page.wording import counted, percent
from bg_ingest.readings.completeness import LATE_AFTER
from bg_ingest.readings.gaps import INTERVAL, TOLERANCE, find_gaps
from bg_ingest.statistics.bands import HIGH, LOW, target_percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from markupsafe import Markup

    from bg_ingest.facades.page.flow_sentence import Situation
    from bg_ingest.facades.page.wording import Wording

    Trace = Sequence[tuple[datetime, int]]  # The instant and the mg/dL of each reading, in order of time.

SPAN = timedelta(hours=24)
_HOUR = timedelta(hours=1)
_TICK_HOURS, _NARROW_TICK_HOURS = 3, 6


class GapName(StrEnum):
    """Why a stretch has no readings."""

    LATE = "late"
    ASKED = "being asked for"
    NEVER = "never measured"
    NOT_FETCHED = "not fetched"


@dataclass(frozen=True, slots=True)
class NamedGap:
    """A stretch without readings, and its reason."""

    start: datetime
    end: datetime
    missing: int
    name: GapName


def named_gaps(trace: Trace, situations: Sequence[Situation], now: datetime) -> tuple[NamedGap, ...]:
    """The gaps of the last 24 hours, oldest first."""
    # A reading that is not due yet does not count as a gap.
    gaps = find_gaps((at for at, _ in trace), now - SPAN, now)
    return tuple(
        NamedGap(gap.start, gap.end, gap.missing, _name(gap.end, situations, now))
        for gap in gaps
        if gap.end < now or gap.missing > 1
    )


def day_chart(trace: Trace, gaps: Sequence[NamedGap], wording: Wording) -> Markup:
    """The chart, its sentence, its gaps in words and its table."""
    sentence = day_sentence(trace, gaps, wording)
    if not trace:
        return element("p", sentence, class_="muted")
    return element(
        "figure",
        element("figcaption", sentence),
        _chart(trace, gaps, wording, sentence),
        _legend(gaps, wording),
        folded("These hours as a table", _table(trace, wording)),
    )


def day_sentence(trace: Trace, gaps: Sequence[NamedGap], wording: Wording) -> str:
    """What the chart shows, in words."""
    if not trace:
        return "No reading in the last 24 hours."
    values = [mg_dl for _, mg_dl in trace]
    missing = sum(gap.missing for gap in gaps)
    lowest, highest = wording.glucose(min(values)), wording.glucose(max(values))
    return (
        f"{counted(len(values), 'reading')} between {lowest} and {highest} {wording.unit},"
        f" {percent(target_percent(values))} of them in target;"
        f" {counted(missing, 'reading') if missing else 'none'} missing."
    )


def _name(end: datetime, situations: Sequence[Situation], now: datetime) -> GapName:
    connected = [each for each in situations if each.connection is ConnectionState.CONNECTED]
    if not connected:
        return GapName.NOT_FETCHED
    if end >= now:
        return GapName.LATE
    if not all(_asked_in_vain(end, each) for each in connected):
        return GapName.ASKED
    # A source that has to be connected again may still have the readings.
    refused = [each for each in situations if each.connection is ConnectionState.NEEDS_REAUTH]
    return GapName.NEVER if all(_asked_in_vain(end, each) for each in refused) else GapName.NOT_FETCHED


def _asked_in_vain(end: datetime, situation: Situation) -> bool:
    # Each poll of a day asks for its oldest gap again, and after this time nothing is handed over any more.
    asked_at = situation.syncs.last_success_at if situation.syncs else None
    return asked_at is not None and asked_at - end > LATE_AFTER


def _chart(trace: Trace, gaps: Sequence[NamedGap], wording: Wording, sentence: str) -> Markup:
    start = wording.now - SPAN
    scale = GlucoseScale(max((mg_dl for _, mg_dl in trace), default=0))

    def x(at: datetime) -> float:
        return (at - start) / SPAN

    hatched = [
        element(
            "rect",
            element("title", gap.name),
            x=f"{100 * x(gap.start):.2f}%",
            y="3%",
            width=f"{100 * (x(gap.end) - x(gap.start)):.2f}%",
            height="85%",
            class_=f"gap {gap.name.name.lower()}",
        )
        for gap in gaps
    ]
    lines = [
        curve([(GRID * x(at), scale.y(mg_dl)) for at, mg_dl in run], f"line {where}")
        for run, where in _runs(trace)
    ]
    axis = time_axis([(100 * x(at), text, always) for at, text, always in _ticks(start, wording)])
    limits = target_limits(scale, wording)
    return plot(sentence, target_band(scale), hatched, stretched(lines), limits, axis, class_="tall")


def _runs(trace: Trace) -> Iterator[tuple[Trace, str]]:
    """The trace in pieces without a gap inside, each below, in or above target."""
    run: list[tuple[datetime, int]] = []
    for one, other in pairwise([*trace, None]):
        assert one  # noqa: S101 - None is the last of the list only.
        run.append(one)
        if other is None or other[0] - one[0] > INTERVAL + TOLERANCE:
            yield run, _place(run)
            run = []
        elif _where(one[1]) != _where(other[1]):
            # The piece reaches to the next point, so that the line is not broken.
            yield [*run, other], _place(run)
            run = []


def _place(run: Trace) -> str:
    return _where(run[0][1])


def _where(mg_dl: int) -> str:
    return "below" if mg_dl < LOW else "above" if mg_dl > HIGH else "within"


def _ticks(start: datetime, wording: Wording) -> Iterator[tuple[datetime, str, bool]]:
    local = start.astimezone(wording.zone)
    at = local.replace(minute=0, second=0, microsecond=0) + _HOUR
    while at <= wording.now:
        if at.hour % _TICK_HOURS == 0:
            yield at, f"{at:%H:%M}", at.hour % _NARROW_TICK_HOURS == 0
        at += _HOUR


def _legend(gaps: Sequence[NamedGap], wording: Wording) -> Markup | None:
    if not gaps:
        return None
    return element("ul", [element("li", *_gap_in_words(gap, wording)) for gap in gaps], class_="legend")


def _gap_in_words(gap: NamedGap, wording: Wording) -> tuple[Markup, str]:
    swatch = element(
        "svg",
        element("rect", width="100%", height="100%", class_=f"gap {gap.name.name.lower()}"),
        class_="swatch",
        aria_hidden="true",
    )
    until = f"since {wording.clock(gap.start)}"
    if gap.end < wording.now:
        until = f"{wording.clock(gap.start)} to {wording.clock(gap.end)}"
    return swatch, f"{gap.name.capitalize()}, {until}: {counted(gap.missing, 'reading')}"


def _table(trace: Trace, wording: Wording) -> Markup:
    hours: defaultdict[datetime, list[int]] = defaultdict(list)
    for at, mg_dl in trace:
        hours[at.astimezone(wording.zone).replace(minute=0, second=0, microsecond=0)].append(mg_dl)
    rows = (
        (
            f"{hour:%H:%M}",
            len(values),
            wording.glucose(min(values)),
            wording.glucose(sum(values) / len(values)),
            wording.glucose(max(values)),
        )
        for hour, values in hours.items()
    )
    return table(
        f"The last 24 hours by hour, in {wording.unit}",
        ("Hour from", "Readings", "Lowest", "Mean", "Highest"),
        rows,
    )
