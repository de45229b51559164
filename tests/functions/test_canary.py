"""The canary: it checks the deployment from outside, and fails if a check fails."""

from __future__ import annotations

from contextlib import contextmanager
from http.server import HTTPServer
from typing import TYPE_CHECKING

import httpx
import pytest

from bg_ingest.http_api.smoke_checks import CHECKS
from bg_ingest.telemetry import InvocationFailed
from tests.support.web_server import ANY_PORT, QuietHandler, serving
from tests.tools.test_smoke import healthy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.functions.conftest import FunctionsWorld

pytestmark = pytest.mark.enable_socket


@contextmanager
def _deployment(answer: Callable[[httpx.Request], httpx.Response]) -> Iterator[str]:
    """A server that answers like a deployment, at the address that is returned."""

    class Deployment(QuietHandler):
        def _answer(self) -> None:
            asked = httpx.Request(self.command, f"http://api{self.path}", headers=dict(self.headers))
            answered = answer(asked)
            self.send_response(answered.status_code)
            for name, value in answered.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answered.content)

        do_GET = do_HEAD = do_DELETE = do_POST = _answer

    with serving(HTTPServer(ANY_PORT, Deployment)) as address:
        yield address


def test_a_healthy_api_passes_every_check(world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is the number of checks."""
    with _deployment(healthy) as address:
        world.restarted(monkeypatch, CANARY_API=address)

        assert world.invoke("canary", world.event("canary_tick")) == {"checked": len(CHECKS)}


def test_a_failed_check_is_an_error_of_the_function(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The alarm watches the errors, and the log names the check."""

    def unready(request: httpx.Request) -> httpx.Response:
        return httpx.Response(503) if request.url.path == "/ready" else healthy(request)

    with _deployment(unready) as address:
        world.restarted(monkeypatch, CANARY_API=address)
        with pytest.raises(InvocationFailed, match="CanaryFailed"):
            world.invoke("canary", world.event("canary_tick"))

    assert '"check":"its tables and queues answer"' in capsys.readouterr().out


def test_the_canary_checks_the_public_address(world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port without a server fails every check, instead of waiting for the timeout."""
    world.restarted(monkeypatch, PUBLIC_URL="http://127.0.0.1:9", CANARY_API="http://127.0.0.1:10")
    with pytest.raises(InvocationFailed, match="CanaryFailed"):
        world.invoke("canary", world.event("canary_tick"))
