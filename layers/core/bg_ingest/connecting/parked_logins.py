"""
Logins that the provider has accepted and the user has not confirmed yet.

    callback ──► parked for ten minutes ──► confirmed with the user's own token: connected
                                        └─► not confirmed: removed

The browser that logged in at the provider gets a random code. A login link can be opened by another person
than the user it was made for, and then that person's readings would go to this user. So the tokens of a
login are used only after the code has come back with the user's own token.

A user has at most one parked login; a later one replaces it. Only the code's hash is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bg_ingest.accounts.vault import tokens_as_bytes, tokens_from_bytes
from bg_ingest.dynamo import Change
from bg_ingest.providers.seam import Endpoint

if TYPE_CHECKING:
    from bg_ingest.accounts.sealing import Sealer
    from bg_ingest.clock import Clock
    from bg_ingest.connecting.logins import Login
    from bg_ingest.dynamo import Item, Table
    from bg_ingest.providers.seam import Tokens

SK = "parked"
_PARKED_FOR = timedelta(minutes=10)
_CODE_BYTES = 16


@dataclass(frozen=True, slots=True)
class ParkedLogin:
    """A login that waits for its confirmation."""

    user_id: str = field(repr=False)
    code_hash: str = field(repr=False)
    endpoint: Endpoint
    sealed_tokens: bytes = field(repr=False)
    account: str | None = field(repr=False)  # A hash of the provider's account id, if it is known.
    login_key: str = field(repr=False)
    started_at: datetime

    def is_confirmed_by(self, code: str) -> bool:
        """Whether this is the code that the browser got."""
        return hmac.compare_digest(self.code_hash, _hash(code))


@dataclass(frozen=True, slots=True)
class ParkedLogins:
    """The parked logins, in the users table."""

    table: Table
    sealer: Sealer
    clock: Clock

    def get(self, user_id: str) -> ParkedLogin | None:
        """The login that waits for its confirmation, if there is one."""
        item = self.table.get(user_id, SK)
        if item is None or item["expires_at"] <= self.clock.now().timestamp():
            return None
        return _from_item(item)

    def parked(
        self, login: Login, endpoint: Endpoint, tokens: Tokens, account: str | None
    ) -> tuple[str, Change]:
        """A new code, and the write that parks the login; for a transaction with others."""
        code = secrets.token_urlsafe(_CODE_BYTES)
        details = (endpoint.provider, endpoint.environment, login.key)
        item: Item = {
            "pk": login.user_id,
            "sk": SK,
            "code_hash": _hash(code),
            "provider": endpoint.provider,
            "environment": endpoint.environment,
            "sealed_tokens": self.sealer.seal(login.user_id, tokens_as_bytes(tokens), *details),
            "account": account,
            "login_key": login.key,
            "started_at": login.started_at.isoformat(),
            "expires_at": int((self.clock.now() + _PARKED_FOR).timestamp()),
        }
        return code, Change(login.user_id, SK, item=item)

    def tokens(self, parked: ParkedLogin) -> Tokens:
        """The tokens of a login that its user has just confirmed."""
        details = (parked.endpoint.provider, parked.endpoint.environment, parked.login_key)
        return tokens_from_bytes(self.sealer.open(parked.user_id, parked.sealed_tokens, *details))

    def used(self, parked: ParkedLogin) -> Change:
        """Return the write that removes a login; it is refused if the login was used, replaced or erased."""
        return Change(parked.user_id, SK, values={":hash": parked.code_hash}, condition="code_hash = :hash")

    def removed(self, user_id: str) -> Change:
        """Return the write that removes any parked login of a user."""
        return Change(user_id, SK)


def _from_item(item: Item) -> ParkedLogin:
    return ParkedLogin(
        user_id=item["pk"],
        code_hash=item["code_hash"],
        endpoint=Endpoint(item["provider"], item["environment"]),
        sealed_tokens=item["sealed_tokens"],
        account=item["account"],
        login_key=item["login_key"],
        started_at=datetime.fromisoformat(item["started_at"]),
    )


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode(errors="surrogatepass")).hexdigest()
