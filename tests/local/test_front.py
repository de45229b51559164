"""The reverse proxy in front of the emulated API Gateway."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import contextmanager
from http.server import HTTPServer
from typing import TYPE_CHECKING

import httpx

from local.front import create_app
from tests.support.web_server import ANY_PORT, QuietHandler, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = b"glucose " * 1_000


@contextmanager
def _gateway(received: list[str | None]) -> Iterator[str]:
    """A server that answers every GET with a compressed body and records two headers."""

    class Gateway(QuietHandler):
        def do_GET(self) -> None:
            received.extend([self.headers["x-correlation-id"], self.headers["accept-encoding"]])
            self.send_response(200)
            self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self.wfile.write(gzip.compress(BODY))

    with serving(HTTPServer(ANY_PORT, Gateway)) as address:
        yield address


async def _answer(target: str, headers: list[tuple[bytes, bytes]]) -> httpx.Response:
    app = create_app(target)
    transport = httpx.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport) as client:
        client.headers.clear()
        return await client.get("http://front/", headers=headers)


def test_a_header_that_is_not_ascii_is_forwarded() -> None:
    """The gateway receives the header unchanged and can reject it itself."""
    received: list[str | None] = []
    with _gateway(received) as target:
        answer = asyncio.run(_answer(target, [(b"x-correlation-id", "café".encode("latin-1"))]))

    assert (answer.status_code, received[0]) == (200, "café")


def test_the_front_accepts_no_coding_for_a_caller() -> None:
    """A caller that does not ask for gzip gets no gzip."""
    received: list[str | None] = []
    with _gateway(received) as target:
        asyncio.run(_answer(target, [(b"accept-encoding", b"identity")]))
        asyncio.run(_answer(target, []))

    assert received == [None, "identity", None, None]


def test_a_compressed_body_stays_compressed() -> None:
    """The caller receives the content coding that the function chose, and the bytes that it sent."""
    with _gateway([]) as target:
        answer = asyncio.run(_answer(target, []))

    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-length"] == str(len(gzip.compress(BODY)))
    assert answer.content == BODY
