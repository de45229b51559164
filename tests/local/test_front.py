"""The reverse proxy in front of the emulated API Gateway."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import httpx

from local.front import create_app
from local.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def _gateway(received: list[str | None]) -> Iterator[str]:
    """A server that answers every GET and records one header."""

    class Gateway(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            received.append(self.headers["x-correlation-id"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name.
            """Say nothing."""

    with HTTPServer((HOST, 0), Gateway) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


async def _status(target: str, headers: list[tuple[bytes, bytes]]) -> int:
    app = create_app(target)
    transport = httpx.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport) as client:
        return (await client.get("http://front/", headers=headers)).status_code


def test_a_header_that_is_not_ascii_is_forwarded() -> None:
    """The gateway receives the header unchanged and can reject it itself."""
    received: list[str | None] = []
    with _gateway(received) as target:
        status = asyncio.run(_status(target, [(b"x-correlation-id", "café".encode("latin-1"))]))

    assert (status, received) == (204, ["café"])
