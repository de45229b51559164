"""An OpenID Connect issuer of the tests, which can also sign invalid tokens."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bg_ingest.clock import SystemClock
from tests.support.web_server import ANY_PORT, QuietHandler, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

AUDIENCE = "bg-ingest-tests"
_KEY_ID = "the-issuers-key"


class Issuer:
    """An issuer's address and the tokens it signs; each variant is invalid in one way."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = _new_key()
        self._strangers_key = _new_key()

    def claims(self, person: str, scope: str = "", **changes: Any) -> dict[str, Any]:
        """Return the claims of a valid token with these changes; None removes a claim."""
        now_s = int(SystemClock().now().timestamp())
        good = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": f"subject-of-{person}",
            "username": person,
            "iat": now_s - 60,
            "nbf": now_s - 60,
            "exp": now_s + 600,
            "scope": scope,
        }
        return {name: value for name, value in (good | changes).items() if value is not None}

    def token(self, person: str, scope: str = "", **changes: Any) -> str:
        """Return a signed token."""
        return jwt.encode(self.claims(person, scope, **changes), self.key, "RS256", {"kid": _KEY_ID})

    def signed_by_another_key(self, person: str) -> str:
        """Return a token that another key signed under this key's id."""
        return jwt.encode(self.claims(person), self._strangers_key, "RS256", {"kid": _KEY_ID})

    def unsigned(self, person: str) -> str:
        """Return a token with `alg: none` and without a signature."""
        return jwt.encode(self.claims(person), "", "none", {"kid": _KEY_ID})

    def signed_with_the_public_key(self, person: str) -> str:
        """Return a token with `alg: HS256` and the public key as the secret.

        A verifier that trusts the header's algorithm would accept it.
        """
        public = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        header = {"alg": "HS256", "kid": _KEY_ID}
        # Made without PyJWT, which refuses to build this attack.
        signed = ".".join(_in_url(json.dumps(part).encode()) for part in (header, self.claims(person)))
        return f"{signed}.{_in_url(hmac.digest(public, signed.encode(), 'sha256'))}"

    def keys(self) -> dict[str, Any]:
        """Return the published public key."""
        numbers = self.key.public_key().public_numbers()
        one = {"kid": _KEY_ID, "kty": "RSA", "use": "sig", "alg": "RS256"}
        return {"keys": [one | {"n": _as_text(numbers.n), "e": _as_text(numbers.e)}]}


def tampered(token: str, **changes: Any) -> str:
    """Return the token with changed claims and the old signature."""
    header, _, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False}) | changes
    return f"{header}.{_in_url(json.dumps(claims).encode())}.{signature}"


@contextmanager
def running() -> Iterator[Issuer]:
    """Run an issuer that serves its keys over HTTP."""

    class Answers(QuietHandler):
        def do_GET(self) -> None:
            known = {
                "/.well-known/openid-configuration": {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"},
                "/keys": issuer.keys(),
            }
            body = json.dumps(known[self.path]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serving(ThreadingHTTPServer(ANY_PORT, Answers)) as address:
        issuer = Issuer(address)
        yield issuer


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def _as_text(number: int) -> str:
    return _in_url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _in_url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
