"""A web server of a test, which runs in a thread of its own."""

from __future__ import annotations

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from threading import Thread
from typing import TYPE_CHECKING

from local.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import HTTPServer

ANY_PORT = (HOST, 0)
_CHECK_EVERY_S = 0.01  # Whether it shall end.


class QuietHandler(BaseHTTPRequestHandler):
    """A handler that writes nothing about its requests, so that the output of the tests stays short."""

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@contextmanager
def serving(server: HTTPServer) -> Iterator[str]:
    """Serve while the block runs; the result is the server's address."""
    with server:
        thread = Thread(target=server.serve_forever, args=(_CHECK_EVERY_S,))
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
