# Rule 1: the algorithm is RS256 or ES256, and the key's own: a token does not choose how it is verified.
# Rule 2: the token names our audience, and this webhook: `jti` is its id, `sub` the user of its address, and
#         `body_sha256` the hash of its bytes.
# Rule 3: the token expires at most ten minutes from now; the inbox remembers ids far longer than that.
# Rule 4: if a token is malformed, it is rejected; nothing here raises.
"""Verification of webhook tokens (JWT); the only file that needs PyJWT."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt

from bg_ingest.webhooks.jwks import ALGORITHMS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bg_ingest.webhooks.authentication import Delivered
    from bg_ingest.webhooks.jwks import KeySet

LIFE_S_MAX = 600
# Times are checked below with our clock; PyJWT would read the machine's.
_OPTIONS: Any = {
    "require": ["exp", "aud", "jti", "sub"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}


@dataclass(frozen=True, slots=True)
class TokenVerifier:
    """Verifies the tokens of one sender, by their keys and our audience."""

    keys: KeySet
    audience: str

    def prove(self, token: str, webhook: Delivered, now: datetime) -> bool:
        """Whether this token was made for this webhook and is valid now."""
        try:
            key = self.keys.find(jwt.get_unverified_header(token).get("kid"))
            if key is None:
                return False
            claims = jwt.decode(
                token, key, algorithms=list(ALGORITHMS), audience=self.audience, options=_OPTIONS
            )
        except (jwt.PyJWTError, UnicodeError):  # UnicodeError: half a surrogate pair.
            return False
        return _is_timely(claims, now.timestamp()) and _is_about(claims, webhook)


def _is_timely(claims: Mapping[str, Any], now_s: float) -> bool:
    expires_s, begins_s = claims["exp"], claims.get("nbf", 0)
    if not isinstance(expires_s, int | float) or not isinstance(begins_s, int | float):
        return False
    return begins_s <= now_s < expires_s <= now_s + LIFE_S_MAX


def _is_about(claims: Mapping[str, Any], webhook: Delivered) -> bool:
    named = claims.get("body_sha256")
    body_hash = hashlib.sha256(webhook.body).hexdigest()
    return (
        claims["jti"] == webhook.webhook_id
        and claims["sub"] == webhook.user_id
        and isinstance(named, str)
        and hmac.compare_digest(named.lower().encode(errors="replace"), body_hash.encode())
    )
