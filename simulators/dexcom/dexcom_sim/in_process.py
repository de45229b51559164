"""Transport for `httpx.Client` that calls the simulator in the same process, without a socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import httpx

from dexcom_sim.http.app import create_app
from dexcom_sim.http.delivery import ConnectionDropped

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from dexcom_sim.clock import TimeSource
    from dexcom_sim.simulator import SimulatedDexcom


class InProcessTransport(httpx.BaseTransport):
    """
    Answers an `httpx.Client` from a simulator in the same process. Many threads may share it.

    A slow response moves the simulator's clock instead of waiting, and times out where a socket would.
    """

    def __init__(self, simulator: SimulatedDexcom) -> None:
        self.simulator = simulator
        self._app = create_app(simulator)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Call the application and return its complete response."""
        request.read()
        try:
            return asyncio.run(self._call(request))
        except ConnectionDropped as dropped:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.") from dropped

    async def _call(self, request: httpx.Request) -> httpx.Response:
        timeout = _ReadTimeout(self.simulator.clock, request.extensions.get("timeout", {}).get("read"))

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"] = {"pause": timeout.pause}
            await self._app(scope, receive, send)

        response = await httpx.ASGITransport(cast("ASGIApp", app)).handle_async_request(request)
        content = await response.aread()
        return httpx.Response(response.status_code, headers=response.headers, content=content)


class _ReadTimeout:
    """The client's read timeout: how long it waits for the next byte."""

    def __init__(self, clock: TimeSource, timeout_s: float | None) -> None:
        self._clock = clock
        self._timeout_s = timeout_s

    async def pause(self, wait_s: float) -> None:
        """Let the time pass; raise ReadTimeout if the client would not wait that long."""
        if self._timeout_s is not None and wait_s > self._timeout_s:
            self._clock.sleep(self._timeout_s)
            raise httpx.ReadTimeout("The read operation timed out")
        self._clock.sleep(wait_s)
