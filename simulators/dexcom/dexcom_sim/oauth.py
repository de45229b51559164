"""
Who may read whose data: codes, access tokens and refresh tokens, as Dexcom hands them out.

    login --code (60 s, once)--> exchange --+--> access token (2 h)
                                            +--> refresh token (once) --> refresh --> both anew

A token is an opaque string. Everything dead is refused alike: `invalid_grant` here, 401 at the data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bg_ingest.clock import Clock

CODE_LIVES = timedelta(seconds=60)
ACCESS_LIVES = timedelta(hours=2)
GRANT_TYPES = ("authorization_code", "refresh_token")


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a person's consent is worth for two hours."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    number: int  # How many were handed out before.


@dataclass(frozen=True, slots=True)
class _Code:
    user: str
    redirect_uri: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Access:
    user: str
    expires_at: datetime


class Consents:
    """Every code and token that was handed out, and whether it is still alive."""

    def __init__(self, seed: int, clock: Clock) -> None:
        self._seed = seed
        self._clock = clock
        self._lock = Lock()
        self._handed_out = 0
        self._codes: dict[str, _Code] = {}
        self._accesses: dict[str, _Access] = {}
        self._refreshes: dict[str, str] = {}
        self._owners: dict[str, str] = {}

    def grant_code(self, user: str, redirect_uri: str) -> str:
        """The person said yes: a code for their browser to carry."""
        with self._lock:
            code = self._opaque("code", user)
            self._codes[code] = _Code(user, redirect_uri, self._clock.now() + CODE_LIVES)
            return code

    def exchange(self, code: str, redirect_uri: str) -> Tokens | None:
        """A code for tokens, once, in time and for the address it was sent to; otherwise None."""
        with self._lock:
            granted = self._codes.pop(code, None)
            if (
                granted is None
                or granted.redirect_uri != redirect_uri
                or granted.expires_at <= self._clock.now()
            ):
                return None
            return self._hand_out(granted.user)

    def refresh(self, refresh_token: str) -> Tokens | None:
        """A refresh token for new tokens, once; otherwise None."""
        with self._lock:
            user = self._refreshes.pop(refresh_token, None)
            return None if user is None else self._hand_out(user)

    def reader(self, access_token: str) -> str | None:
        """Whose data that token opens right now."""
        with self._lock:
            access = self._accesses.get(access_token)
            return access.user if access is not None and self._clock.now() < access.expires_at else None

    def owner(self, secret: str) -> str | None:
        """Whose code or token it is or once was; for counting calls, not for letting anyone in."""
        with self._lock:
            return self._owners.get(secret)

    def connected(self, user: str) -> bool:
        """Whether the application could still refresh for that person."""
        with self._lock:
            return user in self._refreshes.values()

    def revoke(self, user: str) -> None:
        """The person took their consent back at Dexcom: every code and token of theirs is dead."""
        self.kill_refresh_tokens(user)
        self.kill_access_tokens(user)
        with self._lock:
            self._codes = {code: it for code, it in self._codes.items() if it.user != user}

    def kill_refresh_tokens(self, user: str) -> None:
        """As if someone else had already used the refresh token: the access token works on for a while."""
        with self._lock:
            self._refreshes = {token: owner for token, owner in self._refreshes.items() if owner != user}

    def kill_access_tokens(self, user: str) -> None:
        """As if the two hours were over."""
        with self._lock:
            self._accesses = {token: it for token, it in self._accesses.items() if it.user != user}

    def forget(self) -> None:
        """Every code and token is dead; none of them will ever be handed out again."""
        with self._lock:
            for held in (self._codes, self._accesses, self._refreshes, self._owners):
                held.clear()

    def _hand_out(self, user: str) -> Tokens:
        tokens = Tokens(self._opaque("access", user), self._opaque("refresh", user), self._handed_out)
        self._accesses[tokens.access] = _Access(user, self._clock.now() + ACCESS_LIVES)
        self._refreshes[tokens.refresh] = user
        return tokens

    def _opaque(self, kind: str, user: str) -> str:
        # Predictable on purpose, so that a run can be repeated; the length varies as nobody promised one.
        self._handed_out += 1
        text = sha256(f"{self._seed}/{kind}/{self._handed_out}".encode()).hexdigest()
        secret = text * (3 if kind == "access" else 1) + text[: self._handed_out % 16]
        self._owners[secret] = user
        return secret
