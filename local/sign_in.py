"""
OpenID Connect issuer of the local cloud: a sign-in page without passwords, for the users of the local pool.

The page of the service signs in here as it does at a real issuer: code flow, PKCE, ID token, key set. The
subject of a user is that of the local user pool, and the access token is one that the API accepts.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from bg_ingest.clock import SystemClock
from bg_ingest.facades.page.document import sign_in_page
from local.callers import Callers
from local.emulator import Emulator
from local.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from bg_ingest.clock import Clock

CLIENT_ID = "local-page"
CODE_LIFE = timedelta(minutes=1)
TOKEN_LIFE = timedelta(minutes=5)
_KEY_ID = "local"
_USER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_ASKED = ("client_id", "redirect_uri", "state", "nonce", "code_challenge")
_HEADERS = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code that was handed to a browser, and what it stands for."""

    user_id: str
    asked: Mapping[str, str]
    ends_s: float


@dataclass(frozen=True, slots=True)
class LocalIssuer:
    """The issuer: its address, its one client, and a function that makes a pool's access token."""

    address: str
    redirect_uri: str
    access_token: Callable[[str], str]
    clock: Clock
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048), repr=False)
    codes: dict[str, IssuedCode] = field(default_factory=dict, repr=False)

    def refusal(self, asked: Mapping[str, str], response_type: str | None, method: str | None) -> str | None:
        """Why this request for a sign-in is invalid; None if it is valid."""
        if asked.get("client_id") != CLIENT_ID or asked.get("redirect_uri") != self.redirect_uri:
            return "The client or its redirect URI is not registered."
        if response_type != "code" or method != "S256" or not all(asked.get(name) for name in _ASKED):
            return "Only the code flow with PKCE (S256), state and nonce is supported."
        return None

    def code_for(self, user_id: str, asked: Mapping[str, str]) -> str:
        """A code for this user, valid once and for a minute."""
        code = secrets.token_urlsafe(32)
        ends_s = (self.clock.now() + CODE_LIFE).timestamp()
        self.codes[code] = IssuedCode(user_id, dict(asked), ends_s)
        return code

    def tokens(self, form: Mapping[str, str]) -> dict[str, Any] | None:
        """The tokens for a code; None if the code or its verifier is invalid."""
        issued = self.codes.pop(form.get("code", ""), None)
        if issued is None or issued.ends_s <= self.clock.now().timestamp():
            return None
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        same_client = all(form.get(name) == issued.asked[name] for name in ("client_id", "redirect_uri"))
        if not same_client or not hmac.compare_digest(challenge, issued.asked["code_challenge"]):
            return None
        access_token = self.access_token(issued.user_id)
        now_s = int(self.clock.now().timestamp())
        claims = {
            "iss": self.address,
            "aud": CLIENT_ID,
            "sub": jwt.decode(access_token, options={"verify_signature": False})["sub"],
            "cognito:username": issued.user_id,
            "nonce": issued.asked["nonce"],
            "iat": now_s,
            "exp": now_s + int(TOKEN_LIFE.total_seconds()),
        }
        id_token = jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": _KEY_ID})
        return {"id_token": id_token, "access_token": access_token, "token_type": "Bearer", "expires_in": 300}

    def key_set(self) -> dict[str, Any]:
        """The public key, as a key set."""
        public: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [public | {"kid": _KEY_ID, "use": "sig", "alg": "RS256"}]}


def create_sign_in(issuer: LocalIssuer) -> Starlette:
    """The application of the issuer."""

    async def discovery(_: Request) -> Response:
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
        addresses = {name: f"{issuer.address}/{path}" for name, path in names.items()}
        return JSONResponse({"issuer": issuer.address, **addresses}, headers=_HEADERS)

    async def authorize(request: Request) -> Response:
        given = request.query_params if request.method == "GET" else await request.form()
        asked = {name: str(given.get(name, "")) for name in _ASKED}
        refusal = issuer.refusal(
            asked, str(given.get("response_type")), str(given.get("code_challenge_method"))
        )
        if refusal:
            return HTMLResponse(sign_in_page({}, refusal), 400, headers=_HEADERS)
        user_id = str(given.get("login_hint") or given.get("user_id") or "").strip()
        if not _USER_ID.fullmatch(user_id):
            fields = asked | {"response_type": "code", "code_challenge_method": "S256"}
            return HTMLResponse(sign_in_page(fields, None), headers=_HEADERS)
        query = urlencode({"code": issuer.code_for(user_id, asked), "state": asked["state"]})
        return RedirectResponse(f"{issuer.redirect_uri}?{query}", 303, headers=_HEADERS)

    async def token(request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        tokens = issuer.tokens(form)
        if tokens is None:
            return JSONResponse({"error": "invalid_grant"}, 400, headers=_HEADERS)
        return JSONResponse(tokens, headers=_HEADERS)

    async def jwks(_: Request) -> Response:
        return JSONResponse(issuer.key_set())

    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", discovery),
            Route("/authorize", authorize, methods=["GET", "POST"]),
            Route("/token", token, methods=["POST"]),
            Route("/jwks", jwks),
        ]
    )


def main() -> None:
    """Serve until a signal stops the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--redirect-uri", required=True)
    parser.add_argument("--emulator-port", type=int, required=True)
    for name in ("--pool-id", "--person-client-id", "--service-client-id"):
        parser.add_argument(name, required=True)
    asked = parser.parse_args()
    callers = Callers(
        Emulator(asked.emulator_port), asked.pool_id, asked.person_client_id, asked.service_client_id
    )
    issuer = LocalIssuer(f"http://{HOST}:{asked.port}", asked.redirect_uri, callers.token, SystemClock())
    uvicorn.run(create_sign_in(issuer), host=HOST, port=asked.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
