"""
JSON Web Tokens of readers, for clients that exchange their token for one.

A JWT is signed with the digest that the client sent, which the service does not store. So the service cannot
verify the signature. It stores a hash of the whole JWT and finds the grant by it, as by a token. JWTs of one
grant within the same hours are equal, so that a client that repeats its request causes no further item.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.access.grant import lookup_of

if TYPE_CHECKING:
    from bg_ingest.access.grant import Grant
    from bg_ingest.access.grant_items import GrantItems

VALID_FOR = timedelta(hours=8)
_ISSUED_EVERY = timedelta(hours=4)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEADER = {"alg": "HS256", "typ": "JWT"}
_PARTS = 3


@dataclass(frozen=True, slots=True)
class ReaderToken:
    """A JWT with its times; its repr is empty."""

    jwt: str
    issued_at: datetime
    expires_at: datetime

    def __repr__(self) -> str:
        return "ReaderToken(...)"


def issue(items: GrantItems, grant: Grant, credential: str, now: datetime) -> ReaderToken:
    """Return the JWT of this grant for these hours, and store what finds the grant by it."""
    if expiry_of(credential) is not None:
        return _token(credential)  # The client has sent a JWT that this service issued.
    issued_at = _EPOCH + (now - _EPOCH) // _ISSUED_EVERY * _ISSUED_EVERY
    claims = {
        "sub": grant.label,
        "iat": int(issued_at.timestamp()),
        "exp": int((issued_at + VALID_FOR).timestamp()),
    }
    unsigned = f"{_part(_HEADER)}.{_part(claims)}"
    key = hashlib.sha256(credential.lower().encode(errors="replace")).digest()
    signature = hmac.new(key, unsigned.encode(), hashlib.sha256).digest()
    token = _token(f"{unsigned}.{_encoded(signature)}")
    lookup = lookup_of(token.jwt)
    name = f"jwt#{lookup[:16]}"
    if not items.has_pointer(grant, name):
        items.add_pointer(grant, name, lookup, token.expires_at)
    return token


def expiry_of(credential: str) -> datetime | None:
    """The end of a JWT of the form that readers get; None for every other text."""
    parts = credential.split(".")
    if len(parts) != _PARTS:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return _EPOCH + timedelta(seconds=int(claims["exp"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _token(jwt: str) -> ReaderToken:
    expires_at = expiry_of(jwt)
    assert expires_at is not None  # noqa: S101 - the caller has made or checked it.
    return ReaderToken(jwt, expires_at - VALID_FOR, expires_at)


def _part(value: dict[str, Any]) -> str:
    return _encoded(json.dumps(value, separators=(",", ":")).encode())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
