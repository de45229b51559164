"""Users with simulated Nightscout servers of their own, and the provider that reaches them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

from bg_ingest.providers.nightscout.nightscout_provider import NightscoutProvider
from bg_ingest.providers.nightscout.site_http import SiteHttp
from bg_ingest.providers.nightscout.site_login import SiteLogin
from nightscout_sim.in_process import InProcessTransport

if TYPE_CHECKING:
    from bg_ingest.clock import Clock
    from nightscout_sim.site import NightscoutSite

PUBLIC_IP = "93.184.215.14"


@dataclass
class OwnSites(httpx.BaseTransport):
    """All servers of a test by host name; a name that is not there has no address."""

    clock: Clock
    by_host: dict[str, NightscoutSite] = field(default_factory=dict)

    def add(self, host: str, site: NightscoutSite) -> tuple[str, str]:
        """Serve a site at a host; returns its address and a token that may read."""
        self.by_host[host] = site
        return f"https://{host}", site.tokens.add("reader", "readable")

    def provider(self) -> NightscoutProvider:
        """The provider of a new process."""
        http = SiteHttp(self.clock, resolve=self._resolve, inner=lambda: self)
        return NightscoutProvider(SiteLogin(http, self.clock, https_only=True))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Let the host that the Host header names answer."""
        assert request.url.host == PUBLIC_IP
        return InProcessTransport(self.by_host[request.headers["host"]]).handle_request(request)

    def _resolve(self, host: str, _: int) -> list[str]:
        if host not in self.by_host:
            raise httpx.ConnectError("no address")
        return [PUBLIC_IP]
