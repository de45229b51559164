"""What READY means: the demo user's data can be read."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from local import demo
from local.errors import CannotStart
from local.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def _api(statuses: list[int]) -> Iterator[str]:
    """A server that answers with one status after the other."""

    class LatestHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses.pop(0) if self.path == "/api/bg/demo/latest" else 500)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the output of the tests short."""

    with HTTPServer((HOST, 0), LatestHandler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_ready_waits_for_a_reading_that_can_be_read() -> None:
    """Before it there is none yet, and a busy machine answers with 503."""
    statuses = [404, 503, 200, 404]
    with _api(statuses) as api:
        demo.wait_for_readings(api, "token")

    assert statuses == [404]


def test_an_unexpected_answer_stops_the_start() -> None:
    """The message has the request and its status."""
    with _api([401]) as api, pytest.raises(CannotStart, match=r"GET /api/bg/demo/latest answered 401"):
        demo.wait_for_readings(api, "token")
