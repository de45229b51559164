"""The whole page in each state."""

from __future__ import annotations

import gzip
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.facades.page import document
from bg_ingest.facades.page.forms import Forms
from tests.support.page_views import five_states, two_sources

if TYPE_CHECKING:
    from bg_ingest.facades.page.person_view import PersonView

STATES = five_states() | two_sources()
FORMS = Forms("the-token-of-the-forms")
WIRE_BYTES_MAX = 60_000
HOSTILE = "<script>alert(1)</script>\"'&"
GRANT = {
    "grant_id": HOSTILE,
    "label": HOSTILE,
    "reads": [HOSTILE],
    "last_used_at": None,
    "uses": 0,
    "expires_at": None,
}


def _parsed(page: str) -> ET.Element:
    return ET.fromstring(page.partition("\n")[2])  # noqa: S314 - our own document.


def _hostile(view: PersonView) -> PersonView:
    jobs = [dict(job) | {"kind": HOSTILE, "trigger": HOSTILE} for job in view.jobs or ()]
    audit = [dict(entry) | {"actor": HOSTILE, "action": HOSTILE} for entry in view.audit or ()]
    newest = dict(view.newest or {}) | {"trend": HOSTILE}
    sources = [replace(each, situation=replace(each.situation, provider=HOSTILE)) for each in view.sources]
    return replace(
        view,
        name=HOSTILE,
        notice=HOSTILE,
        zone_choice=HOSTILE,
        jobs=jobs,
        audit=audit,
        newest=newest if view.newest else None,
        sources=sources,
        grants=[GRANT],
    )


@pytest.mark.parametrize("state", STATES)
def test_page_is_well_formed_small_and_alone(state: str) -> None:
    """It parses strictly, has one heading, stays below 60 kB, and refers to nothing elsewhere."""
    page = document.person_page(STATES[state], FORMS)
    parsed = _parsed(page)

    assert len(list(parsed.iter("h1"))) == 1
    assert list(parsed.iter("script")) == []
    assert len(page.encode()) < WIRE_BYTES_MAX
    assert len(gzip.compress(page.encode())) < WIRE_BYTES_MAX / 3
    assert not re.search(r"(src|href|action)=\"(https?:)?//", page)
    names = {name for each in parsed.iter() for name in each.attrib}
    assert not {name for name in names if name == "style" or name.startswith("on")}


@pytest.mark.parametrize("state", STATES)
def test_hostile_texts_stay_texts(state: str) -> None:
    """Tags inside any text of a person, a device or a caller add no element to the page."""
    page = document.person_page(_hostile(STATES[state]), FORMS)

    assert "<script" not in page
    assert list(_parsed(page).iter("script")) == []


@pytest.mark.parametrize("state", STATES)
def test_each_form_has_the_token(state: str) -> None:
    """Every form posts to the page with the act and the token of the session."""
    forms = list(_parsed(document.person_page(STATES[state], FORMS)).iter("form"))

    assert forms
    for form in forms:
        assert form.get("method") == "post"
        hidden = {field.get("name"): field.get("value") for field in form.iter("input")}
        assert hidden["form_token"] == FORMS.token
        assert hidden["act"]


def test_read_only_page_has_no_form() -> None:
    """A grant's page shows neither forms nor grants, and says that it is shared."""
    page = document.person_page(replace(STATES["flowing"], reader="my doctor", grants=[GRANT]), None)

    assert list(_parsed(page).iter("form")) == []
    assert "Shared with my doctor" in page
    assert HOSTILE not in page


@pytest.mark.parametrize("part", ["statistics", "profile", "days", "jobs", "audit", "trace"])
def test_a_part_without_right_is_left_out(part: str) -> None:
    """Nothing of a part is shown if the reader may not see it."""
    missing: dict[str, Any] = {part: None}
    identifier = {"statistics": "period", "days": "missing", "trace": "none"}.get(part, part)

    page = document.person_page(replace(STATES["flowing"], **missing), None)

    assert f'id="{identifier}"' not in page


def test_every_chart_has_a_sentence_and_a_table() -> None:
    """A screen reader gets a sentence in place of each chart, and its numbers as a table or a list."""
    parsed = _parsed(document.person_page(STATES["flowing"], FORMS))
    figures = list(parsed.iter("figure"))

    assert len(figures) == 4
    for figure in figures:
        (chart,) = (each for each in figure.iter("svg") if each.get("role") == "img")
        assert (chart.get("aria-label") or "").strip()
        assert list(figure.iter("table")) or list(figure.iter("details"))


def test_too_few_readings_are_grey_and_named() -> None:
    """Insufficient figures are shown in grey with the reason."""
    page = document.person_page(STATES["connect-again"], FORMS)

    assert "% of 70 %: too few to judge" in page
    assert "too-few" in page
    assert "too few to judge" not in document.person_page(STATES["flowing"], FORMS)


def test_welcome_page_offers_to_sign_in() -> None:
    """A visitor sees what this is and one link to sign in; there is no form."""
    parsed = _parsed(document.welcome_page("Dexcom"))

    assert [a.get("href") for a in parsed.iter("a") if a.get("class") == "button"] == ["/signin"]
    assert list(parsed.iter("form")) == []
