"""The simulated Dexcom without a socket: a transport for httpx.Client, for tests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import httpx

from dexcom_sim.app import create_app
from dexcom_sim.wire import ConnectionDropped

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from bg_ingest.clock import Clock
    from dexcom_sim.world import World


class InProcess(httpx.BaseTransport):
    """
    Answers an httpx.Client from a world in the same process; many threads may share it.

    Slow answers let the world's clock pass instead of waiting, and time out where a socket would.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._app = create_app(world)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Ask the application and wait for the whole answer."""
        request.read()
        try:
            return asyncio.run(self._ask(request))
        except ConnectionDropped as dropped:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.") from dropped

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        patience = _Patience(self.world.clock, request.extensions.get("timeout", {}).get("read"))

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"] = {"pause": patience.pause}
            await self._app(scope, receive, send)

        answer = await httpx.ASGITransport(cast("ASGIApp", app)).handle_async_request(request)
        content = await answer.aread()
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)


class _Patience:
    """How long the caller waits for the next byte."""

    def __init__(self, clock: Clock, read_timeout_s: float | None) -> None:
        self._clock = clock
        self._read_timeout_s = read_timeout_s

    async def pause(self, wait_s: float) -> None:
        """Let that time pass, or as much of it as the caller waits."""
        if self._read_timeout_s is not None and wait_s > self._read_timeout_s:
            self._clock.sleep(self._read_timeout_s)
            raise httpx.ReadTimeout("The read operation timed out")
        self._clock.sleep(wait_s)
