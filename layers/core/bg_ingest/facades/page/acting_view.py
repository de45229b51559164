"""The part of the page on which a person acts: connection, interval, display, export, erasure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.facades.page.forms import Act, Forms, choice, text_field
from bg_ingest.facades.page.markup import element
from bg_ingest.facades.page.sources_view import remedy_buttons, source_cards
from bg_ingest.facades.page.wording import grouped, listed

if TYPE_CHECKING:
    from markupsafe import Markup

    from bg_ingest.facades.page.person_view import PersonView

_EXPORTS = (("csv", "CSV, for a spreadsheet"), ("ndjson", "NDJSON, for a program"))
_EXPORT_DAYS = (("14", "14 days"), ("30", "30 days"), ("92", "92 days"))


def first_remedy(view: PersonView, forms: Forms) -> list[Markup]:
    """The buttons beside the sentence: what helps most now."""
    return remedy_buttons(view, forms) or [forms.form(Act.SYNC, "Look now")]


def acting_view(view: PersonView, forms: Forms) -> Markup:
    """All acts, each with a sentence that says what it does."""
    acts = [_act(*card) for card in source_cards(view, forms)]
    acts += [
        *_display(view, forms),
        _act(
            "Take your data with you",
            "Your readings as one file on your device.",
            forms.form(
                Act.EXPORT,
                "Download",
                choice("days", "Days", _EXPORT_DAYS),
                choice("format", "Format", _EXPORTS),
            ),
        ),
        _act(
            "Erase everything",
            "Readings, connections, jobs, grants and audit are deleted here, and nothing is fetched any more."
            " You are asked once again first.",
            forms.form(Act.ERASE, "Erase my data"),
        ),
    ]
    return element("div", acts, class_="acts")


def erase_question(view: PersonView, forms: Forms) -> Markup:
    """The second question before an erasure."""
    readings = view.statistics["readings"] if view.statistics else 0
    providers = listed([each.provider for each in view.known or view.situations[:1]])
    return element(
        "section",
        element("h1", "Erase all your data here?"),
        element(
            "p",
            f"This deletes your readings ({grouped(readings)} in the last 14 days alone), the connection to"
            f" {providers}, jobs, grants and the audit. It cannot be undone."
            f" What you have at {providers} stays there.",
            class_="lead",
        ),
        forms.form(
            Act.ERASE_FOR_GOOD,
            "Erase for good",
            text_field(
                "confirmed", "Type the word “erase”", autocomplete="off", required=True, pattern="[Ee]rase"
            ),
            quiet=False,
        ),
        element("p", element("a", "No, keep everything", href="/")),
        class_="card alone",
    )


def _display(view: PersonView, forms: Forms) -> list[Markup]:
    units = (("mg/dL", "mg/dL"), ("mmol/L", "mmol/L"))
    return [
        _act(
            "Unit and time zone",
            f"Times on this page are in {view.wording.zone_name}."
            " Without a zone they follow your sensor's clock.",
            forms.form(
                Act.SHOW,
                "Save",
                choice("unit", "Unit", units, view.wording.unit),
                text_field(
                    "zone", "Time zone", value=view.zone_choice, placeholder="Europe/Berlin", maxlength=40
                ),
            ),
        )
    ]


def _act(title: str, text: str, content: Markup) -> Markup:
    return element("div", element("h3", title), element("p", text), content, class_="card")
