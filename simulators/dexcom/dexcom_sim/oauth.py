"""
OAuth 2.0: the registered application, authorization codes, access tokens and refresh tokens.

    login --code (60 s, once)--> exchange --+--> access token (2 h)
                                            +--> refresh token (once) --> refresh --> two new tokens

A token is an opaque string. Unknown, used, expired and revoked secrets are all refused in the same way:
`invalid_grant` at the token endpoint, 401 at the data endpoints.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dexcom_sim.clock import TimeSource

CODE_LIFETIME = timedelta(seconds=60)
ACCESS_LIFETIME = timedelta(hours=2)
GRANT_TYPES = ("authorization_code", "refresh_token")


@dataclass(frozen=True, slots=True)
class RegisteredApplication:
    """The client application that is registered with the simulated Dexcom."""

    client_id: str = "bg-ingest"
    client_secret: str = field(default="bg-ingest-secret", repr=False)
    redirect_uris: tuple[str, ...] = ()  # Empty: every http or https address is allowed.

    def accepts_redirect(self, redirect_uri: str) -> bool:
        """Whether a login may send the browser to this address."""
        if self.redirect_uris:
            return redirect_uri in self.redirect_uris
        return redirect_uri.startswith(("http://", "https://"))

    def has_credentials(self, client_id: str, client_secret: str) -> bool:
        """Whether these are the application's credentials."""
        same_secret = secrets.compare_digest(client_secret.encode(), self.client_secret.encode())
        return client_id == self.client_id and same_secret


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """An access token and a refresh token that were issued together."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    number: int  # The number of secrets issued so far; each pair of tokens has another one.


@dataclass(frozen=True, slots=True)
class _AuthorizationCode:
    user: str
    redirect_uri: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _AccessToken:
    user: str
    expires_at: datetime


class Consents:
    """Issues codes and tokens, and knows which of them are still valid."""

    def __init__(self, seed: int, clock: TimeSource) -> None:
        self._seed = seed
        self._clock = clock
        self._lock = Lock()
        self._issued = 0
        self._codes: dict[str, _AuthorizationCode] = {}
        self._access_tokens: dict[str, _AccessToken] = {}
        self._refresh_tokens: dict[str, str] = {}
        self._users: dict[str, str] = {}

    def grant_code(self, user: str, redirect_uri: str) -> str:
        """Issue an authorization code after the user has consented."""
        with self._lock:
            code = self._new_secret("code", user)
            self._codes[code] = _AuthorizationCode(user, redirect_uri, self._clock.now() + CODE_LIFETIME)
            return code

    def exchange(self, code: str, redirect_uri: str) -> IssuedTokens | None:
        """Exchange a code for tokens; None if it is invalid or was issued for another address."""
        with self._lock:
            granted = self._codes.pop(code, None)
            if (
                granted is None
                or granted.redirect_uri != redirect_uri
                or granted.expires_at <= self._clock.now()
            ):
                return None
            return self._issue(granted.user)

    def refresh(self, refresh_token: str) -> IssuedTokens | None:
        """Exchange a refresh token for new tokens; None if it is unknown, used or revoked."""
        with self._lock:
            user = self._refresh_tokens.pop(refresh_token, None)
            return None if user is None else self._issue(user)

    def user_of_access_token(self, access_token: str) -> str | None:
        """The user whose data this access token opens now; None if it is not valid."""
        with self._lock:
            access = self._access_tokens.get(access_token)
            return access.user if access is not None and self._clock.now() < access.expires_at else None

    def user_of_secret(self, secret: str) -> str | None:
        """The user a code or token was issued for, valid or not. For counting calls, never for access."""
        with self._lock:
            return self._users.get(secret)

    def is_connected(self, user: str) -> bool:
        """Whether the application holds a valid refresh token of this user."""
        with self._lock:
            return user in self._refresh_tokens.values()

    def revoke(self, user: str) -> None:
        """Withdraw the user's consent: every code and token of this user becomes invalid."""
        self.revoke_refresh_tokens(user)
        self.revoke_access_tokens(user)
        with self._lock:
            self._codes = {code: it for code, it in self._codes.items() if it.user != user}

    def revoke_refresh_tokens(self, user: str) -> None:
        """Make the refresh tokens invalid. The access token stays valid until it expires."""
        with self._lock:
            kept = {token: owner for token, owner in self._refresh_tokens.items() if owner != user}
            self._refresh_tokens = kept

    def revoke_access_tokens(self, user: str) -> None:
        """Make the access tokens invalid before their two hours have passed."""
        with self._lock:
            kept = {token: it for token, it in self._access_tokens.items() if it.user != user}
            self._access_tokens = kept

    def clear(self) -> None:
        """Make every code and token invalid. None of them will be issued again."""
        with self._lock:
            for issued in (self._codes, self._access_tokens, self._refresh_tokens, self._users):
                issued.clear()

    def saved(self) -> dict[str, Any]:
        """All tokens, as values that JSON has. Codes are left out: they are valid for a minute."""
        with self._lock:
            return {
                "issued": self._issued,
                "access": {
                    token: [it.user, it.expires_at.isoformat()] for token, it in self._access_tokens.items()
                },
                "refresh": self._refresh_tokens,
                "users": self._users,
            }

    def restore(self, saved: dict[str, Any]) -> None:
        """Continue with the tokens that were saved."""
        with self._lock:
            self._issued = saved["issued"]
            self._refresh_tokens, self._users = dict(saved["refresh"]), dict(saved["users"])
            self._access_tokens = {
                token: _AccessToken(user, datetime.fromisoformat(expires_at))
                for token, (user, expires_at) in saved["access"].items()
            }

    def _issue(self, user: str) -> IssuedTokens:
        access, refresh = self._new_secret("access", user), self._new_secret("refresh", user)
        self._access_tokens[access] = _AccessToken(user, self._clock.now() + ACCESS_LIFETIME)
        self._refresh_tokens[refresh] = user
        return IssuedTokens(access, refresh, self._issued)

    def _new_secret(self, kind: str, user: str) -> str:
        # Secrets follow from the seed, so that a run can be repeated. Their length varies, because Dexcom
        # promises none.
        self._issued += 1
        text = sha256(f"{self._seed}/{kind}/{self._issued}".encode()).hexdigest()
        secret = text * (3 if kind == "access" else 1) + text[: self._issued % 16]
        self._users[secret] = user
        return secret
