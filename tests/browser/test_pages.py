"""
The pages of the service in Chromium: the result of a login on a phone, and the API viewer at /docs.

They need `apt-get install chromium chromium-driver`.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.clock import SystemClock
from bg_ingest.connecting.result_page import CONNECTED, DENIED, EXPIRED, FAILED, result_page
from bg_ingest.http_api.responding import PAGE_HEADERS
from bg_ingest.http_api.serving import ApiSettings, serve
from functions.site.app import build
from local.paths import CHECKOUT
from tests.browser.browser import CHROMIUM, DRIVER, Browser, browsing
from tests.functions.conftest import LambdaContext
from tools.interface.document import document, operations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PHONE = (360, 740)
RESULT_PAGES = {
    "/connected": result_page(*CONNECTED),
    "/denied": result_page(*DENIED),
    "/expired": result_page(*EXPIRED),
    "/failed": result_page(*FAILED),
}
CHANGES_ITS_TITLE = "<!doctype html><title>before</title><script>document.title = 'after'</script>"
READINGS = "/api/bg/demo/latest"
EVENT: dict[str, Any] = json.loads((CHECKOUT / "events" / "site_health.json").read_text(encoding="utf-8"))

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="no browser: apt-get install chromium chromium-driver"
    ),
]


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser with a small screen and without scripts."""
    with browsing(tmp_path_factory.mktemp("phone"), _result_page, scripts=False) as browser:
        browser.show(*PHONE)
        yield browser


@pytest.fixture(scope="module")
def tokens() -> list[str | None]:
    """The Authorization headers with which the viewer has asked for readings."""
    return []


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory, tokens: list[str | None]) -> Iterator[Browser]:
    """A browser with scripts, in front of the site function."""
    app = build([], lambda: False, ApiSettings("sub", None, frozenset()))

    def respond(path: str, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        if path.partition("?")[0] == READINGS:
            tokens.append(headers.get("Authorization"))
            return 200, {"Content-Type": "application/json"}, b'{"glucose_mg_dl": 110}'
        return _answer(serve(app, _event(path, headers), LambdaContext(), SystemClock()))  # type: ignore[arg-type] # As much of one as it uses.

    with browsing(tmp_path_factory.mktemp("viewer"), respond, scripts=True) as browser:
        yield browser


@pytest.mark.parametrize("path", RESULT_PAGES)
def test_result_page_fits_a_phone_without_scripts(phone: Browser, tmp_path: Path, path: str) -> None:
    """The heading is on the screen, nothing is cut off, no sideways scrolling, and the text is legible."""
    phone.open(path)
    phone.picture(tmp_path / "page.png")

    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    assert phone.evaluate("document.querySelector('h1').innerText.length") > 0
    assert 0 <= phone.evaluate("document.querySelector('h1').getBoundingClientRect().top") < PHONE[1]
    assert phone.evaluate("parseFloat(getComputedStyle(document.querySelector('p')).fontSize)") >= 14
    assert phone.evaluate(_cut_off(PHONE[0])) == 0


def test_the_phone_runs_no_script(phone: Browser) -> None:
    """A script that would change the title does not run, so the tests above prove what they claim."""
    phone.open("/script")

    assert phone.evaluate("document.title") == "before"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_viewer_shows_every_route_on_every_screen(
    viewer: Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    """All routes are listed, nothing is cut off, and the content security policy blocks nothing."""
    viewer.show(width, 900, dark=scheme == "dark")
    _open_viewer(viewer)
    viewer.click("#operations-Syncing-startSync button")
    viewer.wait_for("document.querySelector('#operations-Syncing-startSync .try-out__btn')")
    viewer.picture(tmp_path / "viewer.png")

    assert viewer.evaluate("document.querySelectorAll('.opblock').length") == _route_count()
    assert viewer.evaluate("document.documentElement.scrollWidth") <= width
    assert viewer.evaluate(_cut_off(width)) == 0
    assert viewer.complaints() == []
    background = viewer.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(28, 32, 34)") is (scheme == "dark")


def test_viewer_shows_an_example_call(viewer: Browser) -> None:
    """An open route shows the command that calls it."""
    viewer.show(1280, 900)
    _open_viewer(viewer)
    viewer.click("#operations-Readings-getLatestReading button")
    viewer.wait_for("document.querySelector('#operations-Readings-getLatestReading .opblock-description')")

    text = viewer.evaluate(
        "document.querySelector('#operations-Readings-getLatestReading .opblock-description').innerText"
    )
    assert text.strip() == f'curl -H "Authorization: Bearer $TOKEN" $API{READINGS}'


def test_viewer_sends_the_token_that_was_entered(viewer: Browser, tokens: list[str | None]) -> None:
    """`Authorize` takes a token, and `Try it out` sends it and shows the response."""
    viewer.show(1280, 900)
    _open_viewer(viewer)
    viewer.click(".auth-wrapper .authorize")
    viewer.wait_for("document.querySelector('#auth-bearer-value')")
    viewer.type("#auth-bearer-value", "the-token-of-demo")
    viewer.click(".auth-btn-wrapper .authorize")
    viewer.click(".auth-btn-wrapper .btn-done")
    route = "#operations-Readings-getLatestReading"
    viewer.click(f"{route} button")
    viewer.wait_for(f"document.querySelector('{route} .try-out__btn')")
    viewer.click(f"{route} .try-out__btn")
    viewer.click(f"{route} .execute")
    viewer.wait_for(f"document.querySelector('{route} .live-responses-table .microlight')")

    assert tokens == ["Bearer the-token-of-demo"]
    shown = viewer.evaluate(f"document.querySelector('{route} .live-responses-table').innerText")
    assert '"glucose_mg_dl": 110' in shown


def _open_viewer(viewer: Browser) -> None:
    viewer.open("/docs")
    viewer.wait_for(f"document.querySelectorAll('.opblock').length == {_route_count()}")


def _route_count() -> int:
    return len(list(operations(document())))


def _cut_off(width: int) -> str:
    """Count the elements that reach over the right edge and that no container scrolls."""
    return f"""[...document.querySelectorAll('body *')].filter(shown => {{
      const scrolls = part => part && (['auto', 'scroll', 'hidden'].includes(getComputedStyle(part).overflowX)
        || scrolls(part.parentElement));
      return shown.checkVisibility() && shown.getBoundingClientRect().right > {width} + 1 && !scrolls(shown);
    }}).length"""


def _result_page(path: str, _: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
    html = {"Content-Type": "text/html; charset=utf-8"}
    # Without a policy here: this page shows that the browser runs no script, not that the policy forbids it.
    if path == "/script":
        return 200, html, CHANGES_ITS_TITLE.encode()
    return (
        (200, html | PAGE_HEADERS, RESULT_PAGES[path].encode()) if path in RESULT_PAGES else (404, html, b"")
    )


def _event(path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    path = path.partition("?")[0]
    http = EVENT["requestContext"]["http"] | {"method": "GET", "path": path}
    return EVENT | {
        "rawPath": path,
        "headers": {name.lower(): value for name, value in headers.items()},
        "requestContext": EVENT["requestContext"] | {"http": http},
    }


def _answer(answer: dict[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
    body = answer.get("body") or ""
    raw = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
    return answer["statusCode"], answer["headers"], raw
