"""
Dexcom's OAuth2: the address where a person logs in, and the two ways to come by tokens.

Codes and refresh tokens work once, so nothing here is ever sent twice. What an error of the token endpoint
means; its status is looked at first, then these words alone:

    429, 5xx, no answer                                      TryLater; nobody knows whether the token is spent
    other 4xx  {"error": "invalid_grant"}                    the code or refresh token is dead
               {"error": "invalid_client"} and a
               description with "max user count exceeded"    ApplicationFull
               anything else, JSON or not                    TryLater: seen in maintenance hours, passes
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from bg_ingest.providers.dexcom.glucose import number_of
from bg_ingest.providers.dexcom.regions import LOGIN, TOKEN
from bg_ingest.providers.errors import (
    ApplicationFull,
    CodeRefused,
    ConsentRevoked,
    ContractBroken,
    Garbled,
    ProviderError,
    Unavailable,
)
from bg_ingest.providers.http.call_record import Call
from bg_ingest.providers.http.send import parse_json_object, send
from bg_ingest.providers.http.statuses import host_error_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bg_ingest.clock import Clock


__all__ = ["Application", "OAuth", "Tokens"]


@dataclass(frozen=True, slots=True)
class Application:
    """The client application as it is registered with Dexcom, in one region."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class OAuth:
    """Logging people in and keeping them logged in, at one host."""

    http: httpx.Client
    application: Application
    clock: Clock
    time_left_s: Callable[[], float] = lambda: math.inf
    account_key: str | None = None  # For the breaker: a pseudonym of the person whose tokens they are.

    def authorize_url(self, state: str) -> str:
        """Where a person logs in; they come back to the redirect address with a code, or an error."""
        query = {
            "client_id": self.application.client_id,
            "redirect_uri": self.application.redirect_uri,
            "response_type": "code",
            "scope": "offline_access",
            "state": state,
        }
        return str(httpx.URL(str(self.http.base_url).rstrip("/") + LOGIN, params=query))

    def exchange(self, code: str) -> Tokens:
        """The tokens for a code, which is dead afterwards."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.application.redirect_uri,
        }
        return self._ask("exchange", form, dead=CodeRefused)

    def refresh(self, refresh_token: str) -> Tokens:
        """New tokens for a refresh token, which is dead afterwards unless the answer has no other."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self._ask("refresh", form, dead=ConsentRevoked)

    def _ask(self, operation: str, form: dict[str, str], dead: type[ProviderError]) -> Tokens:
        credentials = {
            "client_id": self.application.client_id,
            "client_secret": self.application.client_secret,
        }
        asked_at = self.clock.now()  # A lifetime counted from here ends early rather than late.
        call = Call(operation, TOKEN, self.time_left_s, self.account_key)
        response = send(self.http, "POST", TOKEN, call, data=form | credentials)
        failure = _error_for(response, operation, dead, self.clock.now())
        if failure:
            raise failure
        return tokens_of(parse_json_object(response, operation), asked_at, form.get("refresh_token"))


def _error_for(
    response: httpx.Response, operation: str, dead: type[ProviderError], now: datetime
) -> ProviderError | None:
    failure = host_error_for(response, operation, now)
    if failure or response.is_success:
        return failure
    said = _error_members(response)
    if said.get("error") == "invalid_grant":
        return dead(f"{operation}: invalid_grant")
    description = str(said.get("error_description")).lower()
    if said.get("error") == "invalid_client" and "max user count exceeded" in description:
        return ApplicationFull(f"{operation}: no more people can connect")
    return Unavailable(f"{operation}: {response.status_code}")


def _error_members(response: httpx.Response) -> dict[str, Any]:
    try:
        return parse_json_object(response, "error")
    except (Garbled, ContractBroken):
        return {}


# What the token endpoint gives, read with all the patience it deserves.
# What Dexcom has always said. Tokens without a believable lifetime are still tokens, and the refresh token
# that came with them is the only one alive: losing it over a number would end the connection.
_EXPIRES_IN_S_DEFAULT = 7200.0
_EXPIRES_IN_S_MAX = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a person's consent is worth for a while; the repr shows when that ends and nothing else."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime


def tokens_of(answer: dict[str, Any], asked_at: datetime, spent: str | None) -> Tokens:
    """The tokens of an answer; without a new refresh token the `spent` one was not spent."""
    access_token = answer.get("access_token")
    refresh_token = answer.get("refresh_token") or spent
    if not (access_token and isinstance(access_token, str)):
        raise ContractBroken("the answer has no access token")
    if not (refresh_token and isinstance(refresh_token, str)):
        raise ContractBroken("the answer has no refresh token")
    return Tokens(access_token, refresh_token, asked_at + _lifetime(answer.get("expires_in")))


def _lifetime(expires_in: object) -> timedelta:
    if isinstance(expires_in, str) and expires_in.isdecimal() and len(expires_in) < 10:
        expires_in = int(expires_in)
    seconds = number_of(expires_in)
    if seconds is None or not 0 < seconds <= _EXPIRES_IN_S_MAX:
        seconds = _EXPIRES_IN_S_DEFAULT
    return timedelta(seconds=seconds)
