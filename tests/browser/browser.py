"""Debian's Chromium without a window, driven by the W3C WebDriver protocol, and a server for its pages."""

from __future__ import annotations

import base64
import json
import shutil
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from threading import Lock
from typing import TYPE_CHECKING, Any

import httpx

from local.ports import HOST, free_port
from local.processes import Processes
from local.waiting import wait_until
from tests.support.waiting import WAIT_S_MAX
from tests.support.web_server import ANY_PORT, QuietHandler, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    # Status, headers and body of the response to a path with these request headers.
    Respond = Callable[[str, Mapping[str, str]], tuple[int, Mapping[str, str], bytes]]

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
_KEY_CODES = {"Tab": 9, "Enter": 13, "ArrowDown": 40}
_TEXT_OF_KEYS = {"Enter": "\r"}  # Without it Enter activates nothing.
_TABS_MAX = 150
_NO_SCRIPTS = {"profile.managed_default_content_settings.javascript": 2}


class Browser:
    """One browser window."""

    def __init__(self, driver: httpx.Client, site: str) -> None:
        self._driver = driver
        self._site = site

    def open(self, path: str) -> None:
        """Load a page."""
        self._post("/url", {"url": self._site + path})

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression on the page."""
        return self._post("/execute/sync", {"script": f"return {expression}", "args": []})

    def run(self, script: str) -> None:
        """Run JavaScript on the page, as a developer's console does."""
        self._post("/execute/sync", {"script": script, "args": []})

    def wait(self, promise: str, then: str) -> Any:
        """Return the value of the expression `then`, in which `found` is what a promise has found."""
        script = f"const done = arguments[0]; {promise}.then(found => done({then}))"
        return self._post("/execute/async", {"script": script, "args": []})

    def press(self, key: str) -> None:
        """Press and release a key."""
        pressed = {"key": key, "code": key, "windowsVirtualKeyCode": _KEY_CODES[key]}
        text = {"text": _TEXT_OF_KEYS[key]} if key in _TEXT_OF_KEYS else {}
        self._devtools("Input.dispatchKeyEvent", {"type": "keyDown"} | pressed | text)
        self._devtools("Input.dispatchKeyEvent", {"type": "keyUp"} | pressed)

    def write(self, text: str) -> None:
        """Press and release the key of each character, wherever the focus is."""
        for character in text:
            for kind in ("keyDown", "keyUp"):
                pressed = {"type": kind, "key": character}
                self._devtools(
                    "Input.dispatchKeyEvent", pressed | ({"text": character} if kind == "keyDown" else {})
                )

    def tab_to(self, selector: str) -> None:
        """Press Tab until the focus is on an element of a CSS selector."""
        for _ in range(_TABS_MAX):
            self.press("Tab")
            if self.evaluate(f"document.activeElement.matches({json.dumps(selector)})"):
                return
        raise AssertionError(f"Tab does not reach {selector}")

    def save_downloads(self, into: Path) -> None:
        """Let the browser save files without a question."""
        self._devtools("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(into)})

    def paper(self) -> bytes:
        """Print the page to a PDF."""
        body = {"cmd": "Page.printToPDF", "params": {"preferCSSPageSize": True, "printBackground": True}}
        return base64.b64decode(self._post("/goog/cdp/execute", body)["data"])

    def wait_for(self, expression: str) -> None:
        """Wait until a JavaScript expression is true."""
        assert wait_until(lambda: bool(self.evaluate(expression)), WAIT_S_MAX), expression

    def click(self, selector: str) -> None:
        """Click the first element of a CSS selector, as a person does."""
        self._post(f"/element/{self._element(selector)}/click", {})

    def type(self, selector: str, text: str) -> None:
        """Type into the first element of a CSS selector."""
        self._post(f"/element/{self._element(selector)}/value", {"text": text})

    def show(self, width: int, height: int, *, dark: bool = False) -> None:
        """Set the size of the screen and the color scheme."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self._devtools("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._devtools("Emulation.setEmulatedMedia", {"features": [scheme]})

    def complaints(self) -> list[str]:
        """Return what the console has reported since the last call, such as violations of the CSP."""
        return [entry["message"] for entry in self._post("/se/log", {"type": "browser"})]

    def picture(self, into: Path) -> None:
        """Save what is on the screen."""
        into.write_bytes(base64.b64decode(self._driver.get("/screenshot").json()["value"]))

    def _element(self, selector: str) -> str:
        found = self._post("/element", {"using": "css selector", "value": selector})
        (element_id,) = found.values()
        return str(element_id)

    def _devtools(self, command: str, parameters: dict[str, Any]) -> None:
        self._post("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        return self._driver.post(path, json=body).raise_for_status().json()["value"]


@contextmanager
def browsing(profile: Path, respond: Respond, *, scripts: bool) -> Iterator[Browser]:
    """Start a browser and a server for it; both end with this context."""
    with _serving(respond) as site, browsing_at(site, profile, scripts=scripts) as browser:
        yield browser


@contextmanager
def browsing_at(site: str, profile: Path, *, scripts: bool) -> Iterator[Browser]:
    """Start a browser for a server that runs already."""
    with _driving(profile, scripts=scripts) as driver:
        yield Browser(driver, site)


@contextmanager
def _serving(respond: Respond) -> Iterator[str]:
    one_at_a_time = Lock()  # As a Lambda environment: a resolver keeps its current event.

    class BrowserTestHandler(QuietHandler):
        def do_GET(self) -> None:
            with one_at_a_time:
                status, headers, body = respond(self.path, dict(self.headers))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serving(ThreadingHTTPServer(ANY_PORT, BrowserTestHandler)) as address:
        yield address


@contextmanager
def _driving(profile: Path, *, scripts: bool) -> Iterator[httpx.Client]:
    driver_url = f"http://{HOST}:{(port := free_port())}"
    processes = Processes(profile / "processes.json")
    # A home directory of its own, so that the browser leaves no file in the developer's.
    environ = {"HOME": str(profile), "PATH": "/usr/bin:/bin"}
    processes.start("driver", [str(DRIVER), f"--port={port}"], profile / "driver.log", environ)
    try:
        with httpx.Client(timeout=60, trust_env=False) as client:
            assert wait_until(lambda: _is_ready(client, driver_url), WAIT_S_MAX)
            wish = {"capabilities": {"alwaysMatch": _capabilities(profile, scripts=scripts)}}
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


def _capabilities(profile: Path, *, scripts: bool) -> dict[str, Any]:
    return {
        "browserName": "chrome",
        "goog:loggingPrefs": {"browser": "ALL"},
        "goog:chromeOptions": {
            "binary": CHROMIUM,
            # CI runs as root in a container with little shared memory. The pages are our own.
            "args": [
                "--headless=new",
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--no-proxy-server",
                f"--user-data-dir={profile / 'profile'}",
            ],
            "prefs": {} if scripts else _NO_SCRIPTS,
        },
    }
