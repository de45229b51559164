"""Dexcom as a provider of the service."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.providers.dexcom import regions
from bg_ingest.providers.dexcom.client import DexcomClient
from bg_ingest.providers.dexcom.oauth import OAuth
from bg_ingest.providers.dexcom.responses import parse_egvs
from bg_ingest.providers.errors import RequestRefused
from bg_ingest.providers.seam import Capabilities, Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    import httpx

    from bg_ingest.clock import Clock
    from bg_ingest.providers.dexcom.oauth import Application
    from bg_ingest.providers.seam import Fetched, ProviderAccount, Span, Tokens

NAME = "dexcom"
_CAPABILITIES = Capabilities(
    push=True, upload_times=True, window_max=timedelta(days=30), poll_interval_s_min=300
)
# The members of a pushed document that have a meaning, as in a response of the API.
_ENVELOPE = ("records", "unit", "rateUnit", "userId")


@dataclass(frozen=True, slots=True)
class DexcomLogin:
    """Dexcom's side of a login."""

    provider: DexcomProvider

    @property
    def endpoint(self) -> Endpoint:
        """The region that new logins go to."""
        return Endpoint(NAME, regions.region_of(self.provider.base_url))

    def authorize_url(self, state: str) -> str:
        """The address of Dexcom's login page."""
        return self._oauth(self.endpoint).authorize_url(state)

    def exchange(self, code: str) -> Tokens:
        """The tokens for a code."""
        return self._oauth(self.endpoint).exchange(code)

    def refresh(self, account: ProviderAccount, refresh_token: str) -> Tokens:
        """New tokens for a refresh token."""
        oauth = self._oauth(account.endpoint, account.time_left_s, account.account_key)
        return oauth.refresh(refresh_token)

    def _oauth(
        self,
        endpoint: Endpoint,
        time_left_s: Callable[[], float] = lambda: math.inf,
        account_key: str | None = None,
    ) -> OAuth:
        # The credentials are read for each call: they may have been rotated since this process started.
        own = self.provider
        http = own.http(own.host(endpoint))
        return OAuth(http, own.application(), own.clock, time_left_s, account_key)


@dataclass(slots=True)
class DexcomProvider:
    """Dexcom, in all its regions."""

    http: Callable[[str], httpx.Client]  # The client of a region, by its base URL.
    application: Callable[[], Application]
    clock: Clock
    base_url: str  # Of the region that new logins go to.
    subscriptions_path: str | None = None
    _hosts: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._hosts = regions.hosts_of(self.base_url)

    @property
    def name(self) -> str:
        """The name that connections store."""
        return NAME

    @property
    def capabilities(self) -> Capabilities:
        """What Dexcom offers."""
        return _CAPABILITIES

    @property
    def login(self) -> DexcomLogin:
        """The login with which a user grants access."""
        return DexcomLogin(self)

    def host(self, endpoint: Endpoint) -> str:
        """The base URL of an endpoint; raises RequestRefused if this deployment has none for its region."""
        if endpoint.environment not in self._hosts:
            raise RequestRefused("this deployment has no host for the region of this connection")
        return self._hosts[endpoint.environment]

    def readings(
        self, account: ProviderAccount, access_token: str, start: datetime, end: datetime
    ) -> Fetched:
        """All readings measured in `[start, end)`."""
        return self.client(account).egvs(access_token, start, end)

    def uploaded_since(self, account: ProviderAccount, access_token: str, since: datetime) -> Span | None:
        """The span of readings uploaded since then; None without any."""
        return self.client(account).data_range(access_token, since).egvs

    def parse_pushed(self, data: Mapping[str, Any], now: datetime) -> Fetched:
        """The readings that a webhook carried."""
        return parse_egvs({name: data[name] for name in _ENVELOPE if name in data}, now)

    def client(self, account: ProviderAccount) -> DexcomClient:
        """The data endpoints for one account."""
        return DexcomClient(
            self.http(self.host(account.endpoint)),
            self.clock,
            time_left_s=account.time_left_s,
            subscriptions_path=self.subscriptions_path,
            account_key=account.account_key,
        )
