"""An application that connects to the simulated Dexcom, for the tests that look at the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from dexcom_sim.in_process import InProcess
from dexcom_sim.instants import written_utc
from dexcom_sim.world import World
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dexcom_sim.people import Person

ANA = "SandboxUser3"
CALLBACK = "https://app.example/callback"
CREDENTIALS = {"client_id": "bg-ingest", "client_secret": "bg-ingest-secret"}
ASKED = {
    "client_id": "bg-ingest",
    "redirect_uri": CALLBACK,
    "response_type": "code",
    "scope": "offline_access",
    "state": "state-4711",
}
LOGIN, TOKEN = "/v3/oauth2/login", "/v3/oauth2/token"
EGVS, DATA_RANGE = "/v3/users/self/egvs", "/v3/users/self/dataRange"
HOUR_S, DAY_S = 3_600, 86_400


@dataclass(frozen=True)
class Visitor:
    """A client, the world it talks to, and the clock of both."""

    client: httpx.Client
    world: World
    clock: FakeClock

    @property
    def now_s(self) -> int:
        """The second it is."""
        return self.world.now_s()

    @property
    def ana(self) -> Person:
        """The person most tests connect."""
        return self.world.people[ANA]

    def code(self, user: str = ANA) -> str:
        """What Dexcom's redirect carries after that person said yes."""
        answer = self.client.get(LOGIN, params={**ASKED, "sim_user": user})
        return httpx.URL(answer.headers["location"]).params["code"]

    def exchange(self, code: str, **other: str) -> httpx.Response:
        """Ask for tokens with a code."""
        form = {**CREDENTIALS, "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        return self.client.post(TOKEN, data={**form, **other})

    def refresh(self, refresh_token: str, **other: str) -> httpx.Response:
        """Ask for tokens with a refresh token."""
        form = {**CREDENTIALS, "grant_type": "refresh_token", "refresh_token": refresh_token}
        return self.client.post(TOKEN, data={**form, **other})

    def connect(self, user: str = ANA) -> dict[str, Any]:
        """The whole way from login to tokens."""
        tokens: dict[str, Any] = self.exchange(self.code(user)).json()
        return tokens

    def get(self, tokens: Mapping[str, Any], path: str, **query: str) -> httpx.Response:
        """Ask for data."""
        return self.client.get(
            path, params=query, headers={"authorization": f"Bearer {tokens['access_token']}"}
        )

    def egvs(self, tokens: Mapping[str, Any], from_s: int, to_s: int, path: str = EGVS) -> httpx.Response:
        """Ask for the readings of a window."""
        return self.get(tokens, path, startDate=written_utc(from_s)[:19], endDate=written_utc(to_s)[:19])

    def day(self, tokens: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The records of the last 24 hours."""
        records: list[dict[str, Any]] = self.egvs(tokens, self.now_s - DAY_S, self.now_s).json()["records"]
        return records

    def order(self, kind: str, **members: Any) -> dict[str, Any]:
        """Let something go wrong."""
        answer = self.client.post("/_sim/faults", json={"kind": kind, **members})
        assert answer.status_code == 201, answer.text
        standing: dict[str, Any] = answer.json()
        return standing


def arrived(seed: int = 1, upload_delay_s: int = 0, subscriptions_path: str | None = None) -> Visitor:
    """A visitor to a fresh world at noon, in which uploads are served at once unless said otherwise."""
    clock = FakeClock()
    world = World(seed, clock=clock, upload_delay_s=upload_delay_s, subscriptions_path=subscriptions_path)
    client = httpx.Client(transport=InProcess(world), base_url="http://dexcom.sim")
    return Visitor(client, world, clock)
