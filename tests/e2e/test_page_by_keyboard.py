"""
A person's whole way over the page in Chromium, with the keyboard alone and with scripts turned off.

It needs `apt-get install chromium chromium-driver`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from local.waiting import wait_until
from tests.browser.browser import CHROMIUM, DRIVER, browsing_at
from tests.support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from local.stack import Stack
    from tests.browser.browser import Browser

USER, SIMULATED = "keyboard-user", "SandboxUser6"
ACT = "[value={}] ~ button"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.integration,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="no browser: apt-get install chromium chromium-driver"
    ),
]


def test_everything_is_done_by_keyboard_without_scripts(
    cloud: Stack, caller: Any, http: httpx.Client, tmp_path: Path
) -> None:
    """Sign-in, login at Dexcom, a grant and its end, a download, and an erasure."""
    api, downloads = caller(USER), tmp_path / "downloads"
    with browsing_at(cloud.api, tmp_path, scripts=False) as browser:
        browser.show(1280, 900)
        browser.save_downloads(downloads)
        _sign_in_and_connect(browser)
        assert wait_until(lambda: bool(api.get(f"/api/bg/{USER}").json()), WAIT_S_MAX)

        _activate(browser, "#grants summary")
        browser.tab_to("[name=label]")
        browser.write("my doctor")
        _activate(browser, "#grants .tall button")
        browser.wait_for(_headline("Your link"))
        link = browser.evaluate("document.querySelector('code').innerText")
        assert re.fullmatch(rf"{re.escape(cloud.api)}/see/[\w-]+", link)
        assert "Shared with my doctor" in http.get(link).text

        _activate(browser, "main a")
        browser.wait_for("document.querySelector('#grants')")
        _activate(browser, ACT.format("revoke"))
        browser.wait_for("document.querySelector('.notice')?.innerText == 'Access has ended.'")
        assert http.get(link).status_code == 404

        _activate(browser, ACT.format("export"))
        assert wait_until(lambda: bool(list(downloads.glob("glucose-readings-*.csv"))), WAIT_S_MAX)
        (file,) = downloads.glob("*.csv")
        assert len(file.read_text(encoding="utf-8").splitlines()) > 1

        _activate(browser, ACT.format("erase"))
        browser.wait_for(_headline("Erase all your data here?"))
        browser.tab_to("[name=confirmed]")
        browser.write("erase")
        browser.press("Enter")
        browser.wait_for(_headline("Your data is being erased"))
        assert wait_until(lambda: api.get(f"/api/bg/{USER}").json() == [], WAIT_S_MAX)


def _sign_in_and_connect(browser: Browser) -> None:
    browser.open("/")
    _activate(browser, "a.button")
    browser.write(USER)  # The field has the focus.
    browser.press("Enter")
    browser.wait_for(_headline("Not connected yet"))

    _activate(browser, f".hero {ACT.format('dexcom')}")
    browser.wait_for("location.pathname.endsWith('login')")
    browser.tab_to("[type=radio]")
    while browser.evaluate("document.activeElement.value") != SIMULATED:
        browser.press("ArrowDown")
    _activate(browser, "[value=authorize]")
    browser.wait_for("document.querySelector('.notice')?.innerText.startsWith('You are connected')")


def _activate(browser: Browser, selector: str) -> None:
    browser.tab_to(selector)
    browser.press("Enter")


def _headline(text: str) -> str:
    return f"document.querySelector('h1')?.innerText == {text!r}"
