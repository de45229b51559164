"""Strip of days: what was expected, received, late and missing; the newest days open."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.facades.page.jobs_in_words import job_in_words
from bg_ingest.facades.page.markup import element, folded, joined
from bg_ingest.facades.page.wording import counted, grouped, percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from bg_ingest.facades.page.wording import Wording

    CompleteDay = Mapping[str, Any]  # A day as the API answers it in the completeness.
    JobValue = Mapping[str, Any]  # A job as the API answers it.

OPEN_DAYS, STRIP_DAYS = 14, 92
_ONE_DAY = timedelta(days=1)


def days_strip(days: Sequence[CompleteDay], jobs: Sequence[JobValue], wording: Wording) -> Markup:
    """The strip of 92 days, and the last 14 with their gaps and jobs."""
    if not days:
        return element("p", "No day has been compared with the provider yet.", class_="muted")
    known = {day["date"]: day for day in days}
    last = date.fromisoformat(max(known))
    shown = [known.get((last - n * _ONE_DAY).isoformat()) for n in reversed(range(STRIP_DAYS))]
    sentence = strip_sentence(days, wording)
    return element(
        "figure",
        element("figcaption", sentence),
        element("svg", _bars(shown), role="img", aria_label=sentence, class_="plot low-plot"),
        element(
            "p",
            element("span", wording.day(last - (STRIP_DAYS - 1) * _ONE_DAY)),
            element("span", wording.day(last)),
            class_="ends",
        ),
        element(
            "ul",
            _key("on-time", "received in time"),
            _key("was-late", "received late"),
            _key("absent", "missing or not fetched"),
            class_="legend",
        ),
        element(
            "div",
            [_one_day(day, jobs, wording) for day in reversed(shown[-OPEN_DAYS:]) if day],
            class_="days",
        ),
    )


def strip_sentence(days: Sequence[CompleteDay], wording: Wording) -> str:
    """Since when the data is complete, in words."""
    expected, missing, late = (sum(day[name] for day in days) for name in ("expected", "missing", "late"))
    first = date.fromisoformat(min(day["date"] for day in days))
    there = percent(100 * (expected - missing) / expected) if expected else percent(None)
    what = f"{grouped(missing) if missing else 'none'} missing, {grouped(late) if late else 'none'} late"
    return (
        f"Since {wording.day(first)}: {there} of {counted(expected, 'reading')} are here or on their way;"
        f" {what}."
    )


def _bars(shown: Sequence[CompleteDay | None]) -> list[Markup]:
    """A column for each day; missing readings leave it empty above."""
    width = 100 / len(shown)
    absent, there, was_late = "", "", []
    for place, day in enumerate(shown):
        absent += f"M{place}.1 0h.8v100h-.8z"
        if day is None or not day["expected"]:
            continue
        on_time, late = (100 * min(day[name] / day["expected"], 1) for name in ("received", "late"))
        there += f"M{place}.1 100h.8v-{on_time:.1f}h-.8z"
        if late:
            edges = {"x": f"{place * width + width / 10:.2f}%", "width": f"{width * 0.8:.2f}%"}
            top = max(100 - on_time - late, 0)
            was_late.append(
                element("rect", **edges, y=f"{top:.1f}%", height=f"{late:.1f}%", class_="was-late")
            )
    # Two paths are a fifth of the text of 184 rectangles. A pattern would be stretched with them.
    columns = element(
        "svg",
        element("path", d=absent, class_="absent"),
        element("path", d=there, class_="on-time"),
        viewBox=f"0 0 {len(shown)} 100",
        preserveAspectRatio="none",
        width="100%",
        height="100%",
    )
    return [columns, *was_late]


def _one_day(day: CompleteDay, jobs: Sequence[JobValue], wording: Wording) -> Markup:
    on = date.fromisoformat(day["date"])
    summary = joined(
        element("span", wording.weekday(on), class_="grow"),
        element("span", f"{day['received'] + day['late']} of {day['expected']}"),
        element(
            "span", _lacks(day) or "all in time", class_="muted lacks" if _lacks(day) else "muted lacks wide"
        ),
    )
    gaps = [
        element("li", f"{_time(gap['from'], wording)} to {_time(gap['to'], wording)} without readings")
        for gap in day["gaps"]
    ]
    own = [job for job in jobs if _date_of(job, wording) == on]
    return folded(
        summary,
        element("ul", gaps or element("li", "No gap.")),
        element("ul", [element("li", job_in_words(job, wording)) for job in own]) if own else None,
        class_="day",
    )


def _date_of(job: JobValue, wording: Wording) -> date | None:
    begun = job["started_at"] or job["finished_at"]
    return datetime.fromisoformat(begun).astimezone(wording.zone).date() if begun else None


def _lacks(day: CompleteDay) -> str:
    parts = [(day["late"], "late"), (day["missing"], "missing"), (day.get("pending", 0), "on their way")]
    return ", ".join(f"{number} {name}" for number, name in parts if number)


def _time(text: str, wording: Wording) -> str:
    """The time of day alone: the gap is listed under its day."""
    return f"{datetime.fromisoformat(text).astimezone(wording.zone):%H:%M}"


def _key(class_: str, text: str) -> Markup:
    swatch = element(
        "svg",
        element("rect", width="100%", height="100%", class_=class_),
        class_="swatch",
        aria_hidden="true",
    )
    return element("li", swatch, text)
