"""
The address people use: passes every request on to the emulated API Gateway.

The emulator answers some paths itself (/health for one) and names an API by an id that changes with every
deployment. This puts the API alone on a port that stays.
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

# Belong to one connection, not to the message (RFC 9110, 7.6.1); the rest is passed on as it came.
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "content-length", "host"}
)
# A gateway gives its function 30 s; a little more, so that the gateway's own answer arrives.
_ANSWER_WITHIN_S = 35.0
# AWS starts an instance of a function for each request that is under way; on a laptop fifty at once would be
# fifty processes starting on two cores, and none would answer in time. So requests wait here for their turn:
# reads in a queue of their own, so that syncs of a slow provider do not hold them up.
_READS_AT_ONCE = 6
_ACTIONS_AT_ONCE = 3


def create_app(target: str) -> Starlette:
    """An application that answers what `target` answers, path for path."""

    @asynccontextmanager
    async def connected(app: Starlette) -> AsyncIterator[None]:
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
        async with httpx.AsyncClient(timeout=_ANSWER_WITHIN_S, limits=limits, trust_env=False) as client:
            app.state.client = client
            app.state.reads = asyncio.Semaphore(_READS_AT_ONCE)
            app.state.actions = asyncio.Semaphore(_ACTIONS_AT_ONCE)
            yield

    prefix = urlsplit(target).path.encode("ascii")

    async def forward(request: Request) -> Response:
        state = request.app.state
        client: httpx.AsyncClient = state.client
        # Byte for byte: decoding it, encoding it again or taking dots out changes what the function sees.
        query: bytes = request.scope["query_string"]
        line = prefix + request.scope["raw_path"] + (b"?" + query if query else b"")
        body = await request.body()
        try:
            async with state.reads if request.method == "GET" else state.actions:
                answer = await client.request(
                    request.method,
                    target,
                    headers=[
                        (name, value)
                        for name, value in request.headers.raw
                        if name.decode("latin-1") not in _HOP_BY_HOP
                    ],
                    content=body,
                    extensions={"target": line},
                )
        except httpx.HTTPError as error:
            return Response(f"The local cloud did not answer ({type(error).__name__}).\n", status_code=502)
        response = Response(answer.content, status_code=answer.status_code)
        # The body was unpacked on its way here, so its encoding no longer applies.
        for name, value in answer.headers.multi_items():
            if name not in _HOP_BY_HOP | {"content-encoding", "server", "date"}:
                response.headers.append(name, value)
        return response

    async def everything(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            response = await forward(Request(scope, receive))
            await response(scope, receive, send)

    app = Starlette(lifespan=connected)
    # Not a route: no pattern takes every path there is (one with a line break, for one).
    app.router.default = everything
    return app


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--host", default=HOST, help="0.0.0.0 in a container, whose edge decides who gets in")
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
