"""
Dexcom's OAuth 2.0: the login URL, the exchange of an authorization code, and the refresh of tokens.

A code and a refresh token work only one time, so no request is retried. The errors of the token endpoint:

    429, 408, 5xx, no response                               TryLater; the token may or may not be consumed
    other 4xx  {"error": "invalid_grant"}                    CodeRefused or ConsentRevoked
               {"error": "invalid_client"} and a
               description with "max user count exceeded"    ApplicationFull
               any other body                                TryLater; observed during maintenance
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx

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
from bg_ingest.providers.http.send import Call, parse_json_object, send, unlimited_s
from bg_ingest.providers.seam import Tokens, number_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bg_ingest.clock import Clock

_CLIENT_ERRORS = range(400, 500)
# Tokens with an unusable lifetime are kept: their refresh token is the only valid one, and without it the
# connection would end. Dexcom documents two hours.
_EXPIRES_IN_S_DEFAULT = 7200.0
_EXPIRES_IN_S_MAX = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Application:
    """The OAuth client as it is registered with Dexcom, in one region."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class OAuth:
    """OAuth 2.0 client of one host; `http` must be a client that `polite_http` made."""

    http: httpx.Client
    application: Application
    clock: Clock
    time_left_s: Callable[[], float] = unlimited_s
    account_key: str | None = None  # A pseudonym of the account, for the circuit breaker.

    def authorize_url(self, state: str) -> str:
        """The URL of Dexcom's login page, which redirects to `redirect_uri` with a code or an error."""
        query = {
            "client_id": self.application.client_id,
            "redirect_uri": self.application.redirect_uri,
            "response_type": "code",
            "scope": "offline_access",
            "state": state,
        }
        return str(httpx.URL(str(self.http.base_url).rstrip("/") + LOGIN, params=query))

    def exchange(self, code: str) -> Tokens:
        """The tokens for an authorization code; the code is invalid afterwards."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.application.redirect_uri,
        }
        return self._request_tokens("exchange", form, CodeRefused)

    def refresh(self, refresh_token: str) -> Tokens:
        """New tokens; the old refresh token is invalid afterwards if the response contains a new one."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self._request_tokens("refresh", form, ConsentRevoked)

    def _request_tokens(
        self, operation: str, form: dict[str, str], invalid_grant: type[ProviderError]
    ) -> Tokens:
        credentials = {
            "client_id": self.application.client_id,
            "client_secret": self.application.client_secret,
        }
        # Counted from before the request, the lifetime ends early rather than late.
        requested_at = self.clock.now()
        call = Call(operation, TOKEN, self.time_left_s, self.account_key, accepted=_CLIENT_ERRORS)
        response = send(self.http, "POST", call, data=form | credentials)
        if response.is_client_error:
            raise _error_for_refusal(response, operation, invalid_grant)
        return tokens_of(parse_json_object(response, operation), requested_at, form.get("refresh_token"))


def _error_for_refusal(
    response: httpx.Response, operation: str, invalid_grant: type[ProviderError]
) -> ProviderError:
    try:
        document = parse_json_object(response, operation)
    except (Garbled, ContractBroken):
        document = {}
    if document.get("error") == "invalid_grant":
        return invalid_grant(f"{operation}: invalid_grant")
    description = str(document.get("error_description")).lower()
    if document.get("error") == "invalid_client" and "max user count exceeded" in description:
        return ApplicationFull(f"{operation}: the application has reached its limit of users")
    return Unavailable(f"{operation}: {response.status_code}")


def tokens_of(document: dict[str, Any], requested_at: datetime, used_token: str | None) -> Tokens:
    """The tokens in a response; without a new refresh token, the `used_token` is still valid."""
    access_token = document.get("access_token")
    refresh_token = document.get("refresh_token") or used_token
    if not (access_token and isinstance(access_token, str)):
        raise ContractBroken("the response has no access token")
    if not (refresh_token and isinstance(refresh_token, str)):
        raise ContractBroken("the response has no refresh token")
    return Tokens(access_token, refresh_token, requested_at + _lifetime(document.get("expires_in")))


def _lifetime(expires_in: object) -> timedelta:
    if isinstance(expires_in, str) and expires_in.isdecimal() and len(expires_in) < 10:
        expires_in = int(expires_in)
    seconds = number_of(expires_in)
    if seconds is None or not 0 < seconds <= _EXPIRES_IN_S_MAX:
        seconds = _EXPIRES_IN_S_DEFAULT
    return timedelta(seconds=seconds)
