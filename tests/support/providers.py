"""Providers for tests that bring their own client, or need only a part of a provider."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bg_ingest.accounts.vault import NotConnected, Vault
from bg_ingest.clock import SystemClock
from bg_ingest.providers.dexcom.provider import DexcomProvider

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bg_ingest.accounts.connection import Connections
    from bg_ingest.providers.seam import Capabilities, Fetched, Provider, ProviderAccount, Span, Tokens

_PARSER = DexcomProvider(None, None, SystemClock(), "http://dexcom.test")  # type: ignore[arg-type]  # It is never called.


@dataclass(frozen=True)
class ClientProvider:
    """Dexcom through one data client and one OAuth client, which a test has made."""

    client: Any
    oauth: Any = None
    name: str = "dexcom"

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of Dexcom."""
        return _PARSER.capabilities

    @property
    def login(self) -> Any:
        """Refreshes with the OAuth client."""
        return self

    def refresh(self, _: ProviderAccount, refresh_token: str) -> Tokens:
        """New tokens."""
        tokens: Tokens = self.oauth.refresh(refresh_token)
        return tokens

    def readings(self, _: ProviderAccount, access_token: str, start: datetime, end: datetime) -> Fetched:
        """All readings measured in `[start, end)`."""
        fetched: Fetched = self.client.egvs(access_token, start, end)
        return fetched

    def uploaded_since(self, _: ProviderAccount, access_token: str, since: datetime) -> Span | None:
        """The span of readings uploaded since then."""
        span: Span | None = self.client.data_range(access_token, since).egvs
        return span

    def parse_pushed(self, data: Mapping[str, Any], now: datetime) -> Fetched:
        """The readings that a webhook carried."""
        return _PARSER.parse_pushed(data, now)


def client_provider(client: Any = None, oauth: Any = None) -> dict[str, Any]:
    """The registered providers of a test: Dexcom through these clients."""
    return {"dexcom": ClientProvider(client, oauth)}


def only_parses() -> Mapping[str, Provider]:
    """The registered providers of a test that calls none."""
    return client_provider()


def token_for(vault: Vault, connections: Connections, user_id: str, *, rejected: str | None = None) -> str:
    """A valid token of a user, for callers that have not read the connection."""
    connection = connections.get(user_id)
    if connection is None:
        raise NotConnected(None)
    token = vault.valid_token(connection, rejected=rejected)
    return token or vault.refreshed_token(connection, connection.account_at(lambda: math.inf))
