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
from typing import TYPE_CHECKING, Any

import httpx

from bg_ingest.dexcom import paths
from bg_ingest.dexcom.asking import json_of, send
from bg_ingest.dexcom.errors import (
    ApplicationFull,
    CodeRefused,
    ConsentRevoked,
    ContractBroken,
    DexcomError,
    Garbled,
    Unavailable,
)
from bg_ingest.dexcom.exchange import Call
from bg_ingest.dexcom.refusals import trouble
from bg_ingest.dexcom.tokens import Tokens, tokens_of

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
    whose: str | None = None  # For the breaker: a pseudonym of the person whose tokens they are.

    def authorize_url(self, state: str) -> str:
        """Where a person logs in; they come back to the redirect address with a code, or an error."""
        query = {
            "client_id": self.application.client_id,
            "redirect_uri": self.application.redirect_uri,
            "response_type": "code",
            "scope": "offline_access",
            "state": state,
        }
        return str(httpx.URL(str(self.http.base_url).rstrip("/") + paths.LOGIN, params=query))

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

    def _ask(self, operation: str, form: dict[str, str], dead: type[DexcomError]) -> Tokens:
        credentials = {
            "client_id": self.application.client_id,
            "client_secret": self.application.client_secret,
        }
        asked_at = self.clock.now()  # A lifetime counted from here ends early rather than late.
        call = Call(operation, paths.TOKEN, self.time_left_s, self.whose)
        response = send(self.http, "POST", paths.TOKEN, call, data=form | credentials)
        failure = _refusal(response, operation, dead, self.clock.now())
        if failure:
            raise failure
        return tokens_of(json_of(response, operation), asked_at, form.get("refresh_token"))


def _refusal(
    response: httpx.Response, operation: str, dead: type[DexcomError], now: datetime
) -> DexcomError | None:
    failure = trouble(response, operation, now)
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
        return json_of(response, "error")
    except (Garbled, ContractBroken):
        return {}
