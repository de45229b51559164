"""Accounts at the simulated Dexcom that the deployed functions never poll."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from bg_ingest.clock import SystemClock
from bg_ingest.providers.dexcom.oauth import Application, OAuth
from bg_ingest.providers.http.http_client import polite_http

if TYPE_CHECKING:
    import httpx

    from bg_ingest.providers.seam import Tokens

# Users of these accounts are not in the schedule, so only the test decides which process calls, and when.
NOBODYS_INTERVAL_S = 420

_BACK = "http://127.0.0.1/back"


def login(dexcom: httpx.Client, person: str) -> Tokens:
    """Log this person in and return the tokens."""
    asked = {"client_id": "local-client", "redirect_uri": _BACK, "response_type": "code", "state": "s"}
    sent_back = dexcom.get(
        "/v3/oauth2/login", params={**asked, "scope": "offline_access", "sim_user": person}
    )
    (code,) = parse_qs(urlsplit(sent_back.headers["location"]).query)["code"]
    clock = SystemClock()
    with polite_http(str(dexcom.base_url).rstrip("/"), clock) as http:
        return OAuth(http, Application("local-client", "local-secret", _BACK), clock).exchange(code)


def between_readings(dexcom: httpx.Client, person: str, about: datetime) -> datetime:
    """Return an instant soon after `about` without a reading, for a test to add one."""
    start, end = about - timedelta(minutes=10), about + timedelta(minutes=10)
    answer = dexcom.get(
        "/v3/users/self/egvs",
        params={"startDate": f"{start:%Y-%m-%dT%H:%M:%S}", "endDate": f"{end:%Y-%m-%dT%H:%M:%S}"},
        headers={"Authorization": f"Bearer {login(dexcom, person).access_token}"},
    )
    records = answer.raise_for_status().json()["records"]
    taken = [datetime.fromisoformat(record["systemTime"]).astimezone(UTC) for record in records]
    near = timedelta(seconds=30)
    # The sensor measures about every five minutes.
    tried = (about.astimezone(UTC).replace(microsecond=0) + near * number for number in range(10))
    return next(at for at in tried if all(abs(at - other) >= near for other in taken))
