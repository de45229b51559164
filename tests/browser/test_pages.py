"""
The two pages people see, in Debian's Chromium on a screen of 360 pixels, with scripts switched off.

Driven by the W3C's WebDriver protocol, a few lines of HTTP; it needs `chromium` and `chromium-driver`.
"""

from __future__ import annotations

import base64
import shutil
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bg_ingest.connecting.result_page import CONNECTED, DENIED, EXPIRED, FAILED, page
from bg_ingest.http_api.serving import PAGE_HEADERS
from local.ports import HOST, free_port
from local.processes import Processes
from local.waiting import wait_until
from tests.support.patience import PENDING_S_MAX
from tools.interface.__main__ import SITE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
PHONE = {"width": 360, "height": 740, "pixelRatio": 2}
PAGES = {
    "/connected": page(*CONNECTED),
    "/denied": page(*DENIED),
    "/expired": page(*EXPIRED),
    "/failed": page(*FAILED),
    "/docs": (SITE / "docs.html").read_text(encoding="utf-8"),
    "/script": "<!doctype html><title>before</title><script>document.title = 'after'</script>",
}

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no browser: apt-get install chromium chromium-driver"
)


class Phone:
    """A browser without scripts on a small screen."""

    def __init__(self, driver: httpx.Client, pages: str) -> None:
        self._driver = driver
        self._pages = pages

    def open(self, path: str) -> None:
        """Go there."""
        self._driver.post("/url", json={"url": self._pages + path}).raise_for_status()

    def measured(self, expression: str) -> Any:
        """What the browser itself says about the page."""
        answer = self._driver.post("/execute/sync", json={"script": f"return {expression}", "args": []})
        return answer.raise_for_status().json()["value"]

    def picture(self, into: Path) -> None:
        """What is on the screen."""
        into.write_bytes(base64.b64decode(self._driver.get("/screenshot").json()["value"]))


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phone]:
    """One browser for all pages."""
    profile = tmp_path_factory.mktemp("browser")
    with _served() as pages, _driving(profile) as driver:
        yield Phone(driver, pages)


@pytest.mark.parametrize("path", sorted(PAGES.keys() - {"/script"}))
def test_a_page_is_read_on_a_phone_without_scripts(phone: Phone, tmp_path: Path, path: str) -> None:
    """Its heading is on the screen, nothing is cut off or scrolls sideways, and the letters are legible."""
    phone.open(path)
    phone.picture(tmp_path / "page.png")

    assert phone.measured("innerWidth") == PHONE["width"]
    assert phone.measured("document.documentElement.scrollWidth") <= PHONE["width"]
    assert phone.measured("document.querySelector('h1').innerText.length") > 0
    assert 0 <= phone.measured("document.querySelector('h1').getBoundingClientRect().top") < PHONE["height"]
    assert phone.measured("parseFloat(getComputedStyle(document.querySelector('p')).fontSize)") >= 14
    # What is wider than the screen scrolls by itself, and is not cut off.
    assert phone.measured(_CUT_OFF) == 0


def test_scripts_are_really_off(phone: Phone) -> None:
    """A page that would change its title does not."""
    phone.open("/script")

    assert phone.measured("document.title") == "before"


_CUT_OFF = """[...document.querySelectorAll('body *')].filter(shown => {
  const scrolls = part => part && (['auto', 'scroll'].includes(getComputedStyle(part).overflowX)
    || scrolls(part.parentElement));
  return shown.getBoundingClientRect().right > innerWidth + 1 && !scrolls(shown);
}).length"""


@contextmanager
def _served() -> Iterator[str]:
    """The pages as the service sends them."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = PAGES.get(self.path, "").encode()
            self.send_response(200 if body else 404)
            # The one with a script is to show that scripts are off in the browser, not by our own policy.
            for name, value in ({} if self.path == "/script" else PAGE_HEADERS).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody listens."""

    with ThreadingHTTPServer((HOST, 0), Answers) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def _driving(profile: Path) -> Iterator[httpx.Client]:
    """A browser of its own, by its driver; both end with this."""
    driver_url = f"http://{HOST}:{(port := free_port())}"
    processes = Processes(profile / "processes.json")
    # A home of its own: nothing of it stays in that of whoever runs the tests.
    environ = {"HOME": str(profile), "PATH": "/usr/bin:/bin"}
    processes.start("driver", [str(DRIVER), f"--port={port}"], profile / "driver.log", environ)
    try:
        with httpx.Client(timeout=60, trust_env=False) as client:
            assert wait_until(lambda: _is_ready(client, driver_url), PENDING_S_MAX)
            wish = {"capabilities": {"alwaysMatch": _capabilities(profile)}}
            started = client.post(f"{driver_url}/session", json=wish).raise_for_status().json()
            session = f"{driver_url}/session/{started['value']['sessionId']}"
            client.base_url = httpx.URL(session)
            yield client
            client.delete(session).raise_for_status()
    finally:
        processes.end()


def _is_ready(client: httpx.Client, driver_url: str) -> bool:
    try:
        return bool(client.get(f"{driver_url}/status").json()["value"]["ready"])
    except httpx.HTTPError:
        return False


def _capabilities(profile: Path) -> dict[str, Any]:
    return {
        "browserName": "chrome",
        "goog:chromeOptions": {
            "binary": CHROMIUM,
            # No sandbox: CI is root in a container, and the pages are ours. Little shared memory there, too.
            "args": [
                "--headless=new",
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--no-proxy-server",
                f"--user-data-dir={profile / 'profile'}",
            ],
            "mobileEmulation": {"deviceMetrics": PHONE},
            "prefs": {"profile.managed_default_content_settings.javascript": 2},
        },
    }
