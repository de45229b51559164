"""
The OpenID Connect issuer of the page: its discovery document, its sign-in page and its token endpoint.

    begin ──► the issuer's sign-in page ──► finish: code and verifier for an ID token, which is verified

The client is public, so the exchange is bound to this browser by PKCE (RFC 7636) in place of a secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import httpx

from bg_ingest.signing_in.id_token import SignInRefused, verified_claims
from bg_ingest.webhooks.jwks import KeySet, fetched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bg_ingest.clock import Clock
    from bg_ingest.signing_in.sealed_cookie import SealedCookie
    from bg_ingest.webhooks.jwks import KeysUnavailable

ATTEMPT_LIFE = timedelta(minutes=10)
ISSUER_S_MAX = 5.0
DISCOVERED_S = 300.0
_DISCOVERY = "/.well-known/openid-configuration"
_SECRET_BYTES = 32


class IssuerUnavailable(Exception):
    """The issuer cannot be reached, or its answer cannot be read."""


@dataclass(frozen=True, slots=True)
class PageClient:
    """The page as a client of its issuer."""

    issuer: str
    client_id: str


@dataclass(slots=True)
class SignIn:
    """Signs persons in at one issuer; thread-safe as far as its HTTP client is."""

    client: Callable[[], PageClient]
    attempts: SealedCookie
    http: httpx.Client
    clock: Clock
    on_key_failure: Callable[[KeysUnavailable], None]
    needs_https: bool
    _keys: dict[str, KeySet] = field(default_factory=dict, repr=False)
    _discovered: tuple[PageClient, float, Mapping[str, str]] | None = field(default=None, repr=False)

    def begin(self, callback: str, login_hint: str | None = None) -> tuple[str, str]:
        """The address of the issuer's sign-in page, and the cookie that belongs to it."""
        client = self.client()
        state, nonce, verifier = (secrets.token_urlsafe(_SECRET_BYTES) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
        query = {
            "response_type": "code",
            "client_id": client.client_id,
            "redirect_uri": callback,
            "scope": "openid",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
        }
        query |= {"login_hint": login_hint} if login_hint else {}
        address = self._metadata(client)["authorization_endpoint"]
        cookie = self.attempts.sealed({"state": state, "nonce": nonce, "verifier": verifier})
        return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}", cookie

    def finish(
        self, callback: str, cookie: str | None, state: str | None, code: str | None
    ) -> Mapping[str, Any]:
        """The claims of the person; raises SignInRefused or IssuerUnavailable."""
        attempt = self.attempts.opened(cookie)
        if attempt is None:
            raise SignInRefused("this browser has no sign-in in progress")
        if not hmac.compare_digest((state or "").encode(errors="replace"), attempt["state"].encode()):
            raise SignInRefused("the answer belongs to another sign-in")
        if not code:
            raise SignInRefused("the issuer sent no code")
        client = self.client()
        metadata = self._metadata(client)
        form = {
            "grant_type": "authorization_code",
            "client_id": client.client_id,
            "redirect_uri": callback,
            "code": code,
            "code_verifier": attempt["verifier"],
        }
        answer = self._json("POST", metadata["token_endpoint"], data=form)
        return verified_claims(
            answer.get("id_token"),
            self._key_set(metadata["jwks_uri"]),
            issuer=client.issuer,
            client_id=client.client_id,
            nonce=attempt["nonce"],
            now=self.clock.now(),
        )

    def _metadata(self, client: PageClient) -> Mapping[str, str]:
        """The issuer's addresses, read again after some minutes: a flood of visitors must not reach it."""
        now_s = self.clock.monotonic_s()
        if self._discovered is None or self._discovered[0] != client or now_s >= self._discovered[1]:
            self._discovered = client, now_s + DISCOVERED_S, self._discover(client)
        return self._discovered[2]

    def _discover(self, client: PageClient) -> Mapping[str, str]:
        document = self._json("GET", client.issuer.rstrip("/") + _DISCOVERY)
        if document.get("issuer") != client.issuer:
            raise IssuerUnavailable("the discovery document is of another issuer")
        wanted = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        found = {name: document.get(name) for name in wanted}
        if not all(isinstance(each, str) and self._is_safe(each) for each in found.values()):
            raise IssuerUnavailable("the discovery document lacks an address")
        return {name: str(each) for name, each in found.items()}

    def _json(self, method: str, url: str, **arguments: Any) -> dict[str, Any]:
        if not self._is_safe(url):
            raise IssuerUnavailable("the issuer's address is not https")
        try:
            response = self.http.request(
                method, url, timeout=ISSUER_S_MAX, follow_redirects=False, **arguments
            )
            document = response.json()
        except (httpx.HTTPError, ValueError, RecursionError) as error:
            raise IssuerUnavailable(f"the issuer cannot be reached: {type(error).__name__}") from None
        if response.is_client_error and method == "POST":
            raise SignInRefused("the issuer refused the code")
        if not response.is_success or not isinstance(document, dict):
            raise IssuerUnavailable(f"the issuer answered {response.status_code}")
        return document

    def _key_set(self, url: str) -> KeySet:
        if url not in self._keys:
            self._keys[url] = KeySet(partial(fetched, url, self.http), self.clock, self.on_key_failure)
        return self._keys[url]

    def _is_safe(self, url: str) -> bool:
        return not self.needs_https or urlsplit(url).scheme == "https"
