"""A provider whose refresh tokens work once, and processes that share one table and one key."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.accounts.connection import Connections
from bg_ingest.accounts.sealing import DataKeys, Purpose, Sealer
from bg_ingest.accounts.vault import NotConnected, Vault, VaultLimits
from bg_ingest.dynamo import Table
from bg_ingest.providers.errors import ConsentRevoked
from bg_ingest.providers.seam import Endpoint, Tokens
from tests.contract.stepped import stepped
from tests.support.logins import store_tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_kms import KMSClient

    from bg_ingest.accounts.connection import Connection
    from bg_ingest.clock import Clock
    from bg_ingest.providers.seam import ProviderAccount

ADA = "ada"
EU = Endpoint("dexcom", "eu")
LIFETIME = timedelta(hours=2)


class TokenProvider:
    """A provider that issues tokens as Dexcom does, and counts the refreshes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._given = 0
        self.lifetime = LIFETIME
        self.refreshes = 0
        self.requested_at: list[str] = []
        self.trouble: Exception | None = None  # The error that every refresh raises, if it is set.

    def login(self) -> Tokens:
        """Issue new tokens, and invalidate the previous ones."""
        self._given += 1
        return Tokens(
            access_token=f"access-{self._given}",
            refresh_token=f"refresh-{self._given}",
            expires_at=self._clock.now() + self.lifetime,
        )

    def revoke(self) -> None:
        """Withdraw the consent at the provider, so that no token is valid."""
        self._given += 1

    @property
    def access_token(self) -> str:
        """The valid access token."""
        return f"access-{self._given}"

    def lets_in(self, access_token: str) -> bool:
        """Whether data would be served for this token."""
        return access_token == self.access_token

    def refresh(self, account: ProviderAccount, refresh_token: str) -> Tokens:
        """New tokens for the valid refresh token, which is then invalid."""
        self.refreshes += 1
        self.requested_at.append(account.endpoint.environment)
        if self.trouble:
            raise self.trouble
        if refresh_token != f"refresh-{self._given}":
            raise ConsentRevoked("invalid_grant")
        return self.login()


@dataclass(frozen=True, slots=True)
class SteppedLogin:
    """The provider's login, whose refreshes report their steps."""

    provider: TokenProvider
    turn: Callable[[str], None]

    def refresh(self, account: ProviderAccount, refresh_token: str) -> Tokens:
        """New tokens."""
        self.turn("before refresh")
        tokens = self.provider.refresh(account, refresh_token)
        self.turn("after refresh")
        return tokens


@dataclass(frozen=True, slots=True)
class RefreshingProvider:
    """The part of a provider that the vault uses."""

    login: SteppedLogin


class ProcessVault(Vault):
    """The vault of one process, for callers that name a user."""

    def token_for(self, user_id: str, *, rejected: str | None = None) -> str:
        """A valid token of this user."""
        connection = self.connections.get(user_id)
        if connection is None:
            raise NotConnected(None)
        token = self.valid_token(connection, rejected=rejected)
        return token or self.refreshed_token(connection, connection.account_at(lambda: math.inf))


@dataclass(slots=True)
class TokenWorld:
    """One users table, one key, one provider, and as many processes as a test starts."""

    table: Table
    kms: KMSClient
    key_id: str
    clock: Clock
    provider: TokenProvider

    def process(
        self, turn: Callable[[str], None] = lambda _: None, limits: VaultLimits | None = None
    ) -> ProcessVault:
        """A process that has just started; `turn` is called at its every step."""
        connections = Connections(Table(stepped(self.table.client, turn), self.table.name), self.clock)
        keys = DataKeys(stepped(self.kms, turn), self.key_id, "test", self.clock, purpose=Purpose.TOKENS)
        provider: Any = RefreshingProvider(SteppedLogin(self.provider, turn))
        return ProcessVault(connections, Sealer(keys), {EU.provider: provider}, limits)

    @property
    def connections(self) -> Connections:
        """The connections as another process sees them."""
        return Connections(self.table, self.clock)

    @property
    def connection(self) -> Connection:
        """The user's current connection."""
        connection = self.connections.get(ADA)
        assert connection is not None
        return connection

    def login(self) -> Connection:
        """Log the user in."""
        return store_tokens(self.process(), ADA, EU, self.provider.login(), data_from=self.clock.now())
