"""Transport for `httpx.Client` that calls the simulator in the same process, without a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from nightscout_sim.site import Request

if TYPE_CHECKING:
    from nightscout_sim.site import NightscoutSite


class InProcessTransport(httpx.BaseTransport):
    """
    Answers an `httpx.Client` from a site in the same process. Many threads may share it.

    A slow response moves the site's clock instead of waiting, and times out where a socket would.
    """

    def __init__(self, site: NightscoutSite) -> None:
        self.site = site

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Call the site and return its complete response."""
        target = request.url.raw_path.decode("ascii")
        answer = self.site.answer(Request.of(request.method, target, dict(request.headers), request.read()))
        read_s = request.extensions.get("timeout", {}).get("read")
        if read_s is not None and answer.wait_s > read_s:
            self.site.clock.sleep(read_s)
            raise httpx.ReadTimeout("The read operation timed out")
        if answer.wait_s:
            self.site.clock.sleep(answer.wait_s)
        if answer.dropped:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body)
