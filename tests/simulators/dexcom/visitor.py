"""A client application that connects to the simulated Dexcom, for the tests of its responses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from dexcom_sim.in_process import InProcessTransport
from dexcom_sim.simulator import SimulatedDexcom
from dexcom_sim.timestamps import written_utc
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dexcom_sim.people.population import SimulatedPerson

ANA = "SandboxUser3"
CALLBACK = "https://app.example/callback"
CREDENTIALS = {"client_id": "bg-ingest", "client_secret": "bg-ingest-secret"}
LOGIN_PARAMETERS = {
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
    """A client, the simulator it calls, and the clock of both."""

    client: httpx.Client
    simulator: SimulatedDexcom
    clock: FakeClock

    @property
    def now_s(self) -> int:
        """The simulated time."""
        return self.simulator.now_s()

    @property
    def ana(self) -> SimulatedPerson:
        """The user that most tests connect."""
        return self.simulator.people[ANA]

    def code(self, user: str = ANA) -> str:
        """The code in the redirect after the user has authorized access."""
        response = self.client.get(LOGIN, params={**LOGIN_PARAMETERS, "sim_user": user})
        return httpx.URL(response.headers["location"]).params["code"]

    def exchange(self, code: str, **other: str) -> httpx.Response:
        """Exchange a code for tokens."""
        form = {**CREDENTIALS, "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        return self.client.post(TOKEN, data={**form, **other})

    def refresh(self, refresh_token: str, **other: str) -> httpx.Response:
        """Exchange a refresh token for new tokens."""
        form = {**CREDENTIALS, "grant_type": "refresh_token", "refresh_token": refresh_token}
        return self.client.post(TOKEN, data={**form, **other})

    def connect(self, user: str = ANA) -> dict[str, Any]:
        """Log in and return the tokens."""
        tokens: dict[str, Any] = self.exchange(self.code(user)).json()
        return tokens

    def get(self, tokens: Mapping[str, Any], path: str, **query: str) -> httpx.Response:
        """Send a data request."""
        return self.client.get(
            path, params=query, headers={"authorization": f"Bearer {tokens['access_token']}"}
        )

    def egvs(self, tokens: Mapping[str, Any], from_s: int, to_s: int, path: str = EGVS) -> httpx.Response:
        """Request the readings of a window."""
        return self.get(tokens, path, startDate=written_utc(from_s)[:19], endDate=written_utc(to_s)[:19])

    def day(self, tokens: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The records of the last 24 hours."""
        records: list[dict[str, Any]] = self.egvs(tokens, self.now_s - DAY_S, self.now_s).json()["records"]
        return records

    def add_fault(self, kind: str, **members: Any) -> dict[str, Any]:
        """Start a fault by the control API."""
        response = self.client.post("/_sim/faults", json={"kind": kind, **members})
        assert response.status_code == 201, response.text
        active: dict[str, Any] = response.json()
        return active


def new_visitor(seed: int = 1, upload_delay_s: int = 0, subscriptions_path: str | None = None) -> Visitor:
    """A visitor of a new simulator at noon; uploads are visible at once by default."""
    clock = FakeClock()
    simulator = SimulatedDexcom(
        seed, clock=clock, upload_delay_s=upload_delay_s, subscriptions_path=subscriptions_path
    )
    client = httpx.Client(transport=InProcessTransport(simulator), base_url="http://dexcom.sim")
    return Visitor(client, simulator, clock)
