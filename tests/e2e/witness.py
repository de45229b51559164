"""One user at the simulated Dexcom: login, faults, and the calls that Dexcom counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from bg_ingest.clock import SystemClock
from bg_ingest.providers.dexcom import Application, OAuth, polite_http

if TYPE_CHECKING:
    import httpx

    from bg_ingest.providers.dexcom import Tokens

EGVS, DEVICES, TOKEN = "/v3/users/self/egvs", "/v3/users/self/devices", "/v3/oauth2/token"
_BACK = "http://127.0.0.1/back"
APPLICATION = Application("local-client", "local-secret", _BACK)


@dataclass(frozen=True, slots=True)
class DexcomAccount:
    """One account that only one test connects."""

    dexcom: httpx.Client
    person: str

    def login(self) -> Tokens:
        """Log this person in."""
        login = {"client_id": APPLICATION.client_id, "redirect_uri": _BACK, "response_type": "code"}
        more = {"scope": "offline_access", "state": "s", "sim_user": self.person}
        sent_back = self.dexcom.get("/v3/oauth2/login", params=login | more)
        (code,) = parse_qs(urlsplit(sent_back.headers["location"]).query)["code"]
        clock = SystemClock()
        with polite_http(str(self.dexcom.base_url), clock) as http:
            return OAuth(http, APPLICATION, clock).exchange(code)

    def order(self, kind: str, **members: Any) -> int | None:
        """Add a fault for this account and return its number."""
        fault = {"kind": kind, "user": self.person, **members}
        number: int | None = self.dexcom.post("/_sim/faults", json=fault).raise_for_status().json()["id"]
        return number

    def take_back(self, number: int | None) -> None:
        """Remove the fault."""
        self.dexcom.delete(f"/_sim/faults/{number}").raise_for_status()

    def answered(self, path: str) -> Counter[str]:
        """Return how many of these calls Dexcom answered, by status."""
        calls = self.dexcom.get("/_sim/calls").raise_for_status().json()
        return Counter(calls["by_user"].get(self.person, {}).get(path, {}))
