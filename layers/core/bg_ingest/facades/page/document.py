"""The whole page of a person, and the page of a visitor who is not signed in."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bg_ingest.facades.page.acting_view import acting_view, erase_question, first_remedy
from bg_ingest.facades.page.charts.day_chart import day_chart
from bg_ingest.facades.page.charts.days_strip import days_strip
from bg_ingest.facades.page.charts.patterns import marks, patterns
from bg_ingest.facades.page.charts.profile_chart import profile_chart
from bg_ingest.facades.page.forms import Act, text_field
from bg_ingest.facades.page.jobs_in_words import jobs_in_words
from bg_ingest.facades.page.markup import element, joined, style_sheet, whole_document
from bg_ingest.facades.page.period_view import period_view
from bg_ingest.facades.page.person_view import now_view
from bg_ingest.facades.page.sharing_view import audit_view, grants_view, new_grant_view
from bg_ingest.facades.page.sources_view import sources_list
from bg_ingest.facades.page.status_view import status_sections
from bg_ingest.facades.page.wording import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from bg_ingest.facades.page.forms import Forms
    from bg_ingest.facades.page.markup import Child
    from bg_ingest.facades.page.person_view import PersonView
    from bg_ingest.facades.page.status_view import ServiceStatus
    from bg_ingest.facades.page.wording import Wording

NAME = "BG Ingest"


@cache
def style() -> str:
    """The style sheet."""
    return Path(__file__).with_name("style.css").read_text(encoding="utf-8")


@cache
def style_hash() -> str:
    """The source of the style sheet in a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()}'"


def person_page(view: PersonView, forms: Forms | None) -> str:
    """The page of a person; without forms it is read-only."""
    sections = [
        element("p", view.notice, class_="card notice", role="status") if view.notice else None,
        _hero(view, forms),
        *([] if view.is_new and forms else _readings(view)),
        element("div", _records(view, forms), class_="pair no-paper") if forms else None,
        _acting(view, forms) if forms else None,
    ]
    title = f"{view.sentence.headline} · {NAME}" if view.shows_flow else NAME
    return _document(title, _top(view, forms), sections, _foot(view))


def erase_page(view: PersonView, forms: Forms) -> str:
    """The second question before an erasure."""
    return _document(f"Erase · {NAME}", _top(view, forms), [erase_question(view, forms)], None)


def grant_page(page_url: str, secret: str) -> str:
    """The link of a new grant, shown once."""
    return _document(f"Your link · {NAME}", _brand(), [new_grant_view(page_url, secret)], None)


def sign_out_page(forms: Forms) -> str:
    """The question after a link of another site asked to sign out."""
    content = element(
        "section",
        element("h1", "Sign out?"),
        element("p", "Another site asked for this.", class_="lead"),
        forms.form(Act.SIGN_OUT, "Sign out", quiet=False),
        element("p", element("a", "No, stay signed in", href="/")),
        class_="card alone",
    )
    return _document(f"Sign out · {NAME}", _brand(), [content], None)


def message_page(title: str, text: str, link: tuple[str, str] | None = ("Back to the page", "/")) -> str:
    """A short page, such as an error in words."""
    content = element(
        "section",
        element("h1", title),
        element("p", text, class_="lead"),
        element("p", element("a", link[0], href=link[1])) if link else None,
        class_="card alone",
    )
    return _document(f"{title} · {NAME}", _brand(), [content], None)


def sign_in_page(fields: Mapping[str, str], refusal: str | None) -> str:
    """The sign-in page of an issuer without passwords, for development; `fields` are sent back unchanged."""
    form = element(
        "form",
        [element("input", type="hidden", name=name, value=value) for name, value in fields.items()],
        text_field("user_id", "User", required=True, maxlength=128, autocomplete="username", autofocus=True),
        element("button", "Sign in", type="submit", class_="loud"),
        method="post",
        action="/authorize",
        class_="act",
    )
    content = element(
        "section",
        element("h1", "Sign in"),
        element("p", refusal or "This issuer is for development: it asks for no password.", class_="lead"),
        form if refusal is None else None,
        class_="card alone",
    )
    return _document(f"Sign in · {NAME}", element("strong", NAME), [content], None)


def status_page(status: ServiceStatus, wording: Wording) -> str:
    """The operator's page."""
    top = joined(_brand(), element("span", "Status of the service", class_="muted"))
    foot = f"Times in {wording.zone_name}. Made {wording.clock(wording.now)}. Numbers only: no user is named."
    return _document(f"Status · {NAME}", top, status_sections(status, wording), foot)


def welcome_page(providers: Sequence[str]) -> str:
    """The page of a visitor who is not signed in."""
    points = (
        ("Is my data flowing?", "One sentence says yes or no, and if no: why, and what helps."),
        ("What is missing?", "Every gap has a name: late, being asked for, or never measured."),
        (
            "How am I doing?",
            "Time in target, mean, GMI and your day as a profile, when there is enough data.",
        ),
        ("Can others look?", "You give access and end it. Every look of another person is recorded."),
    )
    content = element(
        "section",
        element("h1", "Your glucose readings, complete and in one place"),
        element(
            "p",
            f"{NAME} fetches your readings from {listed(providers)}, keeps each one exactly once, and shows"
            " you whether they arrive.",
            class_="lead",
        ),
        element("p", element("a", "Sign in", href="/signin", class_="button")),
        element(
            "div",
            [element("div", element("h2", each), element("p", text)) for each, text in points],
            class_="points",
        ),
        class_="card alone welcome",
    )
    foot = joined("For programs: the ", element("a", "description of the API", href="/docs"), ".")
    return _document(NAME, _brand(), [content], foot)


def _document(title: str, top: Child, sections: Child, foot: Child) -> str:
    return whole_document(
        element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("title", title),
            element("link", rel="icon", href="data:,"),
            style_sheet(style()),
        ),
        element(
            "body",
            element("a", "To the content", href="#content", class_="skip"),
            patterns(),
            element("header", top, class_="top"),
            element("main", sections, id="content"),
            element("footer", foot, class_="foot") if foot else None,
        ),
    )


def _brand() -> Markup:
    return element("a", element("strong", NAME), href="/")


def _top(view: PersonView, forms: Forms | None) -> Markup:
    if forms is None:
        name = element("span", view.name, class_="muted") if view.shows_flow else None
        return joined(
            _brand(), name, element("span", f"Shared with {view.reader}, read-only", class_="muted")
        )
    return joined(
        _brand(),
        element("span", view.name, class_="muted"),
        element("a", "Sign out", href="/signout", class_="no-paper"),
    )


def _hero(view: PersonView, forms: Forms | None) -> Markup:
    if not view.shows_flow:
        return element("section", element("h1", view.name), class_="hero")
    sentence = view.sentence
    return element(
        "section",
        marks(sentence.status),
        element(
            "div",
            element("h1", sentence.headline),
            element("p", sentence.text, class_="lead"),
            element("div", first_remedy(view, forms), class_="row no-paper") if forms else None,
        ),
        class_=f"hero {sentence.status}",
    )


def _readings(view: PersonView) -> list[Markup | None]:
    return [
        _today(view) if view.trace is not None else None,
        _missing(view),
        element("div", _figures(view), class_="pair") if view.statistics or view.profile else None,
    ]


def _today(view: PersonView) -> Markup:
    return element(
        "section",
        _now(view),
        element(
            "div", element("h2", "The last 24 hours"), day_chart(view.trace or (), view.gaps, view.wording)
        ),
        class_="card today",
    )


def _now(view: PersonView) -> Markup:
    now = now_view(view)
    if now is None:
        return element(
            "div", element("h2", "Now"), element("p", "No reading yet.", class_="muted"), class_="now"
        )
    return element(
        "div",
        element("h2", "Now"),
        element(
            "p",
            now.value,
            element("span", now.arrow, aria_hidden="true") if now.arrow else None,
            class_=" ".join(["value", *["word"] * now.is_word, *["old"] * now.is_old]),
        ),
        element("p", f"{now.unit}, {now.trend}"),
        element("p", now.age + (", older than the delay explains" if now.is_old else ""), class_="muted"),
        class_="now",
    )


def _missing(view: PersonView) -> Markup | None:
    if view.days is None:
        return None
    strip = days_strip(view.days, view.jobs or (), view.wording)
    return _card("Since when, and what is missing", "missing", joined(sources_list(view), strip))


def _figures(view: PersonView) -> list[Markup]:
    statistics, profile = view.statistics, view.profile
    figures = []
    if statistics:
        figures.append(
            _card("How am I doing? The last 14 days", "period", period_view(statistics, view.wording))
        )
    if profile:
        figures.append(_card("Glucose profile", "profile", profile_chart(profile, view.wording)))
    return figures


def _records(view: PersonView, forms: Forms) -> list[Markup]:
    """The jobs, and beside them who may look and who has looked."""
    jobs, grants, audit = view.jobs, view.grants, view.audit
    looks = []
    if grants is not None:
        looks.append(_card("Access for others", "grants", grants_view(grants, forms, view.wording)))
    if audit is not None:
        looks.append(_card("Looks and changes", "audit", audit_view(audit, view.own_names, view.wording)))
    if jobs is None or view.is_new:
        return looks
    done = _card("What was done for you", "jobs", jobs_in_words(jobs, view.wording))
    return [done, element("div", looks, class_="stack")]


def _acting(view: PersonView, forms: Forms) -> Markup:
    return element(
        "section",
        element("h2", "Settings and your rights"),
        acting_view(view, forms),
        class_="no-paper",
        id="acts",
    )


def _card(title: str, name: str, content: Child) -> Markup:
    return element("section", element("h2", title), content, class_="card", id=name)


def _foot(view: PersonView) -> Markup:
    return joined(
        f"Times in {view.wording.zone_name}. Made {view.wording.clock(view.wording.now)}."
        " Not for treatment decisions. ",
        element("a", "How the figures are calculated", href="/docs"),
    )
