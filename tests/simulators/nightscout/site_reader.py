"""A simulated Nightscout in this process, and a client that holds one of its tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx

from nightscout_sim.in_process import InProcessTransport
from nightscout_sim.site import NightscoutSite
from tests.support.fakes import FakeClock


@dataclass
class SiteReader:
    """One site with two days of entries, and its reader."""

    site: NightscoutSite = field(default_factory=lambda: NightscoutSite(clock=FakeClock(), history_days=2))

    def __post_init__(self) -> None:
        self.token = self.site.tokens.add("reader", "readable")
        self.client = httpx.Client(transport=InProcessTransport(self.site), base_url="http://nightscout.sim")

    def get(self, path: str, **query: Any) -> httpx.Response:
        """The response to a GET with the access token."""
        return self.client.get(path, params=query | {"token": self.token})

    def entries(self, **query: Any) -> list[dict[str, Any]]:
        """The entries that a query of API v1 finds."""
        found: list[dict[str, Any]] = self.get("/api/v1/entries/sgv.json", **query).json()
        return found

    def bearer(self) -> dict[str, str]:
        """The header with a web token."""
        exchanged = self.client.get(f"/api/v2/authorization/request/{self.token}").json()
        return {"Authorization": f"Bearer {exchanged['token']}"}

    def history(self, since_ms: int, **query: Any) -> list[dict[str, Any]]:
        """What was changed since, by API v3."""
        response = self.client.get(f"/api/v3/entries/history/{since_ms}", params=query, headers=self.bearer())
        changed: list[dict[str, Any]] = response.json()["result"]
        return changed
