"""Verification of ID tokens (OpenID Connect Core 1.0, 3.1.3.7)."""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Any

import jwt

from bg_ingest.webhooks.jwks import ALGORITHMS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bg_ingest.webhooks.jwks import KeySet

CLOCK_DIFFERENCE_S_MAX = 60
# The ids of the API's paths. Any other id could be the key of an item that belongs to no user.
_USER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}", re.ASCII)
# Times are checked below with our clock; PyJWT would read the machine's.
_OPTIONS: Any = {
    "require": ["iss", "aud", "exp", "iat", "sub", "nonce"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}


class SignInRefused(Exception):
    """The issuer's answer does not prove that the person who began has signed in."""


def verified_claims(
    token: object, keys: KeySet, *, issuer: str, client_id: str, nonce: str, now: datetime
) -> Mapping[str, Any]:
    """The claims of an ID token that this issuer made for this client and this sign-in."""
    if not isinstance(token, str):
        raise SignInRefused("the issuer sent no ID token")
    try:
        key = keys.find(jwt.get_unverified_header(token).get("kid"))
        if key is None:
            raise SignInRefused("the ID token is signed with an unknown key")
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=list(ALGORITHMS), audience=client_id, issuer=issuer, options=_OPTIONS
        )
    except jwt.PyJWTError as error:
        raise SignInRefused(f"the ID token is invalid: {type(error).__name__}") from None
    expires_s = claims["exp"]
    if not isinstance(expires_s, int | float) or expires_s + CLOCK_DIFFERENCE_S_MAX <= now.timestamp():
        raise SignInRefused("the ID token has expired")
    if claims.get("azp", client_id) != client_id:
        raise SignInRefused("the ID token was made for another client")
    if not hmac.compare_digest(str(claims["nonce"]).encode(errors="replace"), nonce.encode()):
        raise SignInRefused("the ID token belongs to another sign-in")
    return claims


def user_id_of(claims: Mapping[str, Any], user_id_claim: str) -> str:
    """The user that the claims name, under the same claim as in the API's tokens."""
    # Cognito's access tokens have `username`, and its ID tokens have the same value as `cognito:username`.
    found = claims.get(user_id_claim) or claims.get(f"cognito:{user_id_claim}")
    if not isinstance(found, str) or not _USER_ID.fullmatch(found):
        raise SignInRefused("the ID token names no user")
    return found
