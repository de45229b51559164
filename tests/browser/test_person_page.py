"""
The page of a person in Chromium: every state, small and large, dark and light, on paper, by keyboard.

It needs `apt-get install chromium chromium-driver`. The accessibility rules are those of axe-core.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bg_ingest.facades.page import document
from bg_ingest.facades.page.forms import Forms
from bg_ingest.http_api.pages.page_response import html_response
from tests.browser.browser import CHROMIUM, DRIVER, browsing
from tests.support.page_views import STATES, in_state, newcomers_view
from tests.support.status_views import TROUBLED, WELL, WORDING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.browser.browser import Browser


def _page_in_state(name: str) -> str:
    return document.person_page(in_state(name), FORMS)


FORMS = Forms("the-token-of-the-forms")
# Made when a test opens them.
PAGES: dict[str, Callable[[], str]] = {
    **{f"/{name}": partial(_page_in_state, name) for name in STATES},
    "/newcomer": lambda: document.person_page(newcomers_view(), FORMS),
    "/shared": lambda: document.person_page(replace(in_state("flowing"), reader="my doctor"), None),
    "/welcome": lambda: document.welcome_page(["Dexcom", "Nightscout"]),
    "/erase": lambda: document.erase_page(in_state("flowing"), FORMS),
    "/grant": lambda: document.grant_page("https://api.example.com/see/watch-0123", "watch-0123"),
    "/sign-in": lambda: document.sign_in_page({"state": "s"}, None),
    "/status-well": lambda: document.status_page(WELL, WORDING),
    "/status-troubled": lambda: document.status_page(TROUBLED, WORDING),
}
_AXE = importlib.util.find_spec("axe_core_python")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="no browser: apt-get install chromium chromium-driver"
    ),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser in front of the pages, with their own headers."""
    with browsing(tmp_path_factory.mktemp("page"), _respond, scripts=True) as browser:
        yield browser


@pytest.mark.parametrize("path", PAGES)
def test_page_fits_every_screen_with_all_folds_open(browser: Browser, path: str) -> None:
    """Nothing scrolls sideways from 320 to 3840 pixels; nothing is blocked, and nothing else is requested."""
    browser.open(path)
    browser.run("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    for width in (320, 768, 1280, 3840):
        browser.show(width, 900, dark=width == 320)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert browser.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= 16

    assert browser.complaints() == []
    assert browser.evaluate("performance.getEntriesByType('resource').length") == 0


@pytest.mark.skipif(_AXE is None, reason="axe-core-python is not installed")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_no_violation(browser: Browser, path: str, *, dark: bool) -> None:
    """Names, roles, order, and contrast of every text, with all folds open."""
    assert _AXE is not None
    assert _AXE.origin is not None
    browser.show(1280, 900, dark=dark)
    browser.open(path)
    browser.run("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    browser.run((Path(_AXE.origin).parent / "axe.min.js").read_text(encoding="utf-8"))

    found = browser.wait("axe.run({resultTypes: ['violations']})", "found.violations.map(each => each.id)")

    assert found == []


def test_dark_and_light_differ(browser: Browser) -> None:
    """The ground follows the color scheme of the person."""
    grounds = set()
    for dark in (False, True):
        browser.show(1280, 900, dark=dark)
        browser.open("/flowing")
        grounds.add(browser.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert len(grounds) == 2


@pytest.mark.parametrize("state", STATES)
def test_page_fits_one_sheet_of_paper(browser: Browser, state: str) -> None:
    """One A4 page, without forms."""
    browser.show(1280, 900)
    browser.open(f"/{state}")

    pdf = browser.paper()

    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1


def test_every_control_is_reached_by_the_keyboard(browser: Browser) -> None:
    """Tab visits the link to the content first, then each form's fields and button, with a visible focus."""
    browser.show(1280, 900)
    browser.open("/stopped")
    wanted = browser.evaluate(
        "[...document.querySelectorAll('a, button, select, summary, input:not([type=hidden])')]"
        ".filter(each => each.checkVisibility()).length"
    )
    reached = 0
    browser.press("Tab")
    assert browser.evaluate("document.activeElement.className") == "skip"
    while browser.evaluate("document.activeElement !== document.body") and reached < 100:
        assert browser.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        reached += browser.evaluate("!document.activeElement.matches('.scroll')")
        browser.press("Tab")

    assert reached == wanted


def _respond(path: str, _: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
    if path not in PAGES:
        return 404, {}, b""
    page = PAGES[path]()
    answer = html_response(page)
    headers = {name: str(value) for name, value in answer.headers.items()}
    return 200, headers | {"Content-Type": "text/html; charset=utf-8"}, page.encode()
