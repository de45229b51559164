"""A login at Dexcom's sandbox, with the redirect pasted by the person at the terminal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx

from bg_ingest.providers.dexcom import DexcomClient, OAuth, polite_http
from bg_ingest.providers.dexcom.client import without_zone
from bg_ingest.providers.dexcom.regions import EGVS

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.clock import Clock
    from bg_ingest.providers.dexcom import Application, Tokens

# The time for thirty days of data; slow responses of Dexcom take longer than 30 s.
_RESPONSE_S_MAX = 60.0


class LoginFailed(Exception):
    """The pasted address has no code of this login; the text says what to do."""


@dataclass(frozen=True)
class SandboxAccount:
    """A sandbox user's account: the service's own client, and a plain one for what the service hides."""

    oauth: OAuth
    client: DexcomClient
    plain: httpx.Client
    clock: Clock
    code: str = field(repr=False)
    tokens: Tokens = field(repr=False)

    @property
    def bearer(self) -> dict[str, str]:
        """The header of an authorized call."""
        return {"Authorization": f"Bearer {self.tokens.access_token}"}

    def egvs(self, start: datetime, end: datetime) -> httpx.Response:
        """Dexcom's unchanged response for a range."""
        query = {"startDate": without_zone(start), "endDate": without_zone(end)}
        return self.plain.get(EGVS, params=query, headers=self.bearer)

    def records(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """The unchanged records of a range."""
        records: list[dict[str, Any]] = self.egvs(start, end).raise_for_status().json()["records"]
        return records


def log_in(oauth: OAuth, code: str, clock: Clock, inner: httpx.BaseTransport | None = None) -> SandboxAccount:
    """Exchange the code of a login."""
    base_url = str(oauth.http.base_url)
    return SandboxAccount(
        oauth,
        DexcomClient(polite_http(base_url, clock, inner=inner), clock),
        httpx.Client(base_url=base_url, transport=inner, timeout=_RESPONSE_S_MAX),
        clock,
        code,
        oauth.exchange(code),
    )


def oauth_at(
    base_url: str, application: Application, clock: Clock, inner: httpx.BaseTransport | None = None
) -> OAuth:
    """The service's own OAuth client at this address."""
    return OAuth(polite_http(base_url, clock, inner=inner), application, clock)


def code_in(redirect: str, state: str) -> str:
    """The code in the address to which Dexcom redirected the browser."""
    query = parse_qs(urlsplit(redirect.strip()).query)
    if query.get("state") != [state]:
        raise LoginFailed("This address is of another login. Open the address above and paste the new one.")
    if "code" not in query:
        raise LoginFailed("This address has no code. Allow access on Dexcom's page, then paste the address.")
    return query["code"][0]
