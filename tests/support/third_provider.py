"""A third provider in a few lines, over which all tests of the engine run."""

# ruff: noqa: D102 - the seam documents these methods.

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.providers.seam import Capabilities, Endpoint, Fetched, ProviderAccount, Span, Tokens
from bg_ingest.readings.model import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bg_ingest.accounts.connection import Connection
    from bg_ingest.sync.run import Source

THIRD = Endpoint("third", "here")
_CAPABILITIES = Capabilities(
    push=True, upload_times=True, window_max=timedelta(days=10), poll_interval_s_min=60
)


@dataclass(frozen=True, slots=True)
class ThirdProvider:
    """Serves the readings of a source; its access token is the user's id, and its logins always succeed."""

    source: Source
    endpoint: Endpoint = THIRD
    name: str = THIRD.provider
    capabilities: Capabilities = _CAPABILITIES

    @property
    def login(self) -> ThirdProvider:
        return self

    def authorize_url(self, state: str) -> str:
        return f"https://third.test/login?state={state}"

    def exchange(self, code: str) -> Tokens:
        return Tokens(code, code, datetime.max.replace(tzinfo=UTC))

    def refresh(self, _: ProviderAccount, refresh_token: str) -> Tokens:
        return self.exchange(refresh_token)

    def readings(self, _: ProviderAccount, access_token: str, start: datetime, end: datetime) -> Fetched:
        return self.source.readings(access_token, start, end)

    def uploaded_since(self, _: ProviderAccount, access_token: str, since: datetime) -> Span | None:
        return self.source.uploaded_since(access_token, since)

    def parse_pushed(self, data: Mapping[str, Any], now: datetime) -> Fetched:
        values = ((datetime.fromtimestamp(at_s, UTC), mg_dl) for at_s, mg_dl in data["values"])
        return Fetched(tuple(Reading(at, mg_dl) for at, mg_dl in values if at <= now))


class UserIdTokens:
    """A vault without secrets: the access token is the user's id."""

    def valid_token(self, connection: Connection, *, rejected: str | None = None) -> str:
        """A token other than the rejected one; this provider rejects none."""
        assert rejected is None
        return connection.user_id

    def refreshed_token(self, _: Connection, __: ProviderAccount) -> str:
        """Never called: every token is valid."""
        raise AssertionError
