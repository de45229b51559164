"""A server of an attacker that waits for tokens."""

from __future__ import annotations

from contextlib import contextmanager
from http.server import HTTPServer
from typing import TYPE_CHECKING

from tests.support.web_server import ANY_PORT, QuietHandler, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def attacker_server() -> Iterator[tuple[str, list[str]]]:
    """A server of the attacker, and the requests it got."""
    got: list[str] = []

    class Noting(QuietHandler):
        def do_GET(self) -> None:
            got.append(f"{self.path} {self.headers}")
            self.send_response(500)
            self.end_headers()

        do_POST = do_GET

    with serving(HTTPServer(ANY_PORT, Noting)) as address:
        yield address, got
