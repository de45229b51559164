"""A server of an attacker that waits for tokens."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def attacker_server() -> Iterator[tuple[str, list[str]]]:
    """A server of the attacker, and the requests it got."""
    got: list[str] = []

    class Noting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            got.append(f"{self.path} {self.headers}")
            self.send_response(500)
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - the server's own name.

        def log_message(self, *_: Any) -> None:
            """Keep the output of the tests short."""

    server = HTTPServer(("127.0.0.1", 0), Noting)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", got
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
