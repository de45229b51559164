"""People at the simulated Dexcom whom this cloud's own functions know nothing of."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from bg_ingest.clock import SystemClock
from bg_ingest.dexcom.http_client import polite_http
from bg_ingest.dexcom.oauth import Application, OAuth

if TYPE_CHECKING:
    import httpx

    from bg_ingest.dexcom.oauth import Tokens

# Who sits there is never dispatched: it is among no intervals. So a test alone decides who calls, and when.
NOBODYS_INTERVAL_S = 420

_BACK = "http://127.0.0.1/back"


def login(dexcom: httpx.Client, person: str) -> Tokens:
    """Tokens of a person who has said yes."""
    asked = {"client_id": "local-client", "redirect_uri": _BACK, "response_type": "code", "state": "s"}
    sent_back = dexcom.get(
        "/v3/oauth2/login", params={**asked, "scope": "offline_access", "sim_user": person}
    )
    (code,) = parse_qs(urlsplit(sent_back.headers["location"]).query)["code"]
    clock = SystemClock()
    with polite_http(str(dexcom.base_url).rstrip("/"), clock) as http:
        return OAuth(http, Application("local-client", "local-secret", _BACK), clock).exchange(code)
