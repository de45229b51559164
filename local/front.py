"""
Reverse proxy in front of the emulated API Gateway, on a fixed port.

The emulator answers some paths of its own (/health for example), and its address of an API changes with every
deployment. This proxy serves the API alone, at an address that stays the same.
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from local.ports import HOST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

# These headers belong to one connection (RFC 9110, 7.6.1). All others are passed on unchanged.
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "content-length", "host"}
)
# The gateway's limit is 30 s. The proxy waits a little longer, so that the gateway's own response arrives.
_RESPONSE_S_MAX = 35.0
# AWS runs one instance of a function for each concurrent request. On a laptop fifty of them would be fifty
# processes that start on two cores, and each would time out. So the proxy limits the concurrent requests.
# Reads have a limit of their own, so that syncs with a slow provider do not delay them.
_READS_MAX = 6
_ACTIONS_MAX = 3


def create_app(target: str) -> Starlette:
    """An application that forwards every request to `target` and returns its response."""

    @asynccontextmanager
    async def connected(app: Starlette) -> AsyncIterator[None]:
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
        async with httpx.AsyncClient(timeout=_RESPONSE_S_MAX, limits=limits, trust_env=False) as client:
            client.headers.clear()  # Only a caller's own: httpx accepts gzip by itself.
            app.state.client = client
            app.state.reads = asyncio.Semaphore(_READS_MAX)
            app.state.actions = asyncio.Semaphore(_ACTIONS_MAX)
            yield

    prefix = urlsplit(target).path.encode("ascii")

    async def forward(request: Request) -> Response:
        state = request.app.state
        client: httpx.AsyncClient = state.client
        # Byte for byte, because decoding and encoding a path would change what the function receives.
        query: bytes = request.scope["query_string"]
        line = prefix + request.scope["raw_path"] + (b"?" + query if query else b"")
        body = await request.body()
        try:
            async with (
                state.reads if request.method == "GET" else state.actions,
                client.stream(
                    request.method,
                    target,
                    headers=[
                        (name, value)
                        for name, value in request.headers.raw
                        if name.decode("latin-1") not in _HOP_BY_HOP
                    ],
                    content=body,
                    extensions={"target": line},
                ) as upstream,
            ):
                # As it was sent: httpx would decompress it.
                content = b"".join([part async for part in upstream.aiter_raw()])
        except httpx.HTTPError as error:
            return Response(f"The local cloud did not answer ({type(error).__name__}).\n", status_code=502)
        response = Response(content, status_code=upstream.status_code)
        for name, value in upstream.headers.multi_items():
            if name not in _HOP_BY_HOP | {"server", "date"}:
                response.headers.append(name, value)
        return response

    async def forward_all(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            response = await forward(Request(scope, receive))
            await response(scope, receive, send)

    app = Starlette(lifespan=connected)
    # No route pattern matches every path (one with a line break, for example), so this replaces them.
    app.router.default = forward_all
    return app


def main() -> None:
    """Serve until a signal stops the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument(
        "--host", default=HOST, help="0.0.0.0 in a container, which publishes the port itself"
    )
    arguments = parser.parse_args()
    uvicorn.run(
        create_app(arguments.target),
        host=arguments.host,
        port=arguments.port,
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()
