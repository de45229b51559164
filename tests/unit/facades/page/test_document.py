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
from tests.support.page_views import STATES, in_state, newcomers_view

if TYPE_CHECKING:
    from bg_ingest.facades.page.person_view import PersonView

FORMS = Forms("the-token-of-the-forms")
WIRE_BYTES_MAX = 60_000
HOSTILE = "<script>alert(1)</script>\"'&"
GRANT = {
    "grant_id": HOSTILE,
    "label": HOSTILE,
    "reads": [HOSTILE],
    "days": {"from": HOSTILE, "to": HOSTILE},
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
    page = document.person_page(in_state(state), FORMS)
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
    page = document.person_page(_hostile(in_state(state)), FORMS)

    assert "<script" not in page
    assert list(_parsed(page).iter("script")) == []


@pytest.mark.parametrize("state", STATES)
def test_each_form_has_the_token(state: str) -> None:
    """Every form posts to the page with the act and the token of the session."""
    forms = list(_parsed(document.person_page(in_state(state), FORMS)).iter("form"))

    assert forms
    for form in forms:
        assert form.get("method") == "post"
        hidden = {field.get("name"): field.get("value") for field in form.iter("input")}
        assert hidden["form_token"] == FORMS.token
        assert hidden["act"]


def test_read_only_page_has_no_form() -> None:
    """A grant's page shows neither forms nor grants, and says that it is shared."""
    page = document.person_page(replace(in_state("flowing"), reader="my doctor", grants=[GRANT]), None)

    assert list(_parsed(page).iter("form")) == []
    assert "Shared with my doctor" in page
    assert HOSTILE not in page


@pytest.mark.parametrize("part", ["statistics", "profile", "days", "jobs", "audit", "trace"])
def test_a_part_without_right_is_left_out(part: str) -> None:
    """Nothing of a part is shown if the reader may not see it."""
    missing: dict[str, Any] = {part: None}
    identifier = {"statistics": "period", "days": "missing", "trace": "none"}.get(part, part)

    page = document.person_page(replace(in_state("flowing"), **missing), None)

    assert f'id="{identifier}"' not in page


def test_every_chart_has_a_sentence_and_a_table() -> None:
    """A screen reader gets a sentence in place of each chart, and its numbers as a table or a list."""
    parsed = _parsed(document.person_page(in_state("flowing"), FORMS))
    figures = list(parsed.iter("figure"))

    assert len(figures) == 4
    for figure in figures:
        (chart,) = (each for each in figure.iter("svg") if each.get("role") == "img")
        assert (chart.get("aria-label") or "").strip()
        assert list(figure.iter("table")) or list(figure.iter("details"))


def test_too_few_readings_are_grey_and_named() -> None:
    """Insufficient figures are shown in grey with the reason."""
    page = document.person_page(in_state("connect-again"), FORMS)

    assert "10 of 14 days have readings; 64.3 % of all expected ones are here, and 70 % are needed" in page
    assert "too few to judge" in page
    assert "too-few" in page
    assert "too few to judge" not in document.person_page(in_state("flowing"), FORMS)


def test_a_newcomer_sees_no_empty_charts() -> None:
    """Before the first connection the page offers to connect, and leaves out what has no readings."""
    newcomer = newcomers_view()
    parsed = _parsed(document.person_page(newcomer, FORMS))
    sections = {each.get("id") for each in parsed.iter("section")}
    (hero,) = (each for each in parsed.iter("section") if "hero" in each.get("class", ""))
    offered = [button.text for button in hero.iter("button")] + [a.text for a in hero.iter("a")]

    assert [each.text for each in hero.iter("h1")] == ["Not connected yet"]
    assert offered == ["Connect Dexcom", "Connect Nightscout"]
    assert sections.isdisjoint({"missing", "period", "profile", "jobs"})
    assert {"grants", "audit", "acts"} <= sections


def test_a_value_beyond_the_sensor_is_a_word() -> None:
    """LOW has no number of its own, so no unit is beside it."""
    view = in_state("flowing")
    low = replace(view, newest={**(view.newest or {}), "glucose_mg_dl": 39, "status": "low"})
    (now,) = (
        each for each in _parsed(document.person_page(low, FORMS)).iter("div") if each.get("class") == "now"
    )
    words = " ".join("".join(now.itertext()).split())

    assert "LOW" in words
    assert "below what the sensor can measure, rising slowly" in words
    assert "mg/dL" not in words


def test_many_jobs_are_folded_with_failures_first() -> None:
    """Thirty jobs would push everything else from a small screen."""
    view = in_state("late-at-provider")
    jobs = list(view.jobs or ())
    many = [*jobs[2:] * 5, *jobs[:2]]
    page = _parsed(document.person_page(replace(view, jobs=many), FORMS))
    (card,) = (each for each in page.iter("section") if each.get("id") == "jobs")
    at_once, folded = card.iter("ul")

    assert [each.get("class") for each in at_once] == ["failed"] * 2 + [None] * 6
    assert len(list(folded)) == len(many) - 8
    assert [each.text for each in card.iter("summary")] == ["14 more jobs"]


def test_a_first_history_is_not_called_late() -> None:
    """In the list of sources and in its card, a new source is being fetched."""
    view = in_state("both-flow")
    dexcom, own = view.sources
    assert own.situation.syncs
    fetching = replace(own.situation, newest_at=None, syncs=replace(own.situation.syncs, history_done=False))
    page = document.person_page(replace(view, sources=[dexcom, replace(own, situation=fetching)]), FORMS)

    assert "</b>: its history is being fetched; connected on" in page
    assert "Its history is being fetched. A new login" in page
    assert "late at us" not in page


def test_welcome_page_offers_to_sign_in() -> None:
    """A visitor sees what this is and one link to sign in; there is no form."""
    parsed = _parsed(document.welcome_page("Dexcom"))

    assert [a.get("href") for a in parsed.iter("a") if a.get("class") == "button"] == ["/signin"]
    assert list(parsed.iter("form")) == []
