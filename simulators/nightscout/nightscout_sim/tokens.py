"""Access tokens of a site, their roles, and the short-lived web tokens that they are exchanged for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

# Nightscout's roles, as far as a reader of entries meets them.
ROLES = {
    "readable": ("*:*:read",),
    "denied": (),
    "careportal": ("api:treatments:create",),
    "admin": ("*",),
}
LIFETIME_S = 8 * 3600
_DIGEST_HEX = 16


@dataclass
class Tokens:
    """The subjects of one site: each has a name, roles and an access token that is made from them."""

    api_secret: str
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)  # By access token.

    def add(self, name: str, *roles: str) -> str:
        """Create a subject and return its access token, such as `reader-1a2b3c4d5e6f7a8b`."""
        digest = hashlib.sha1(f"{self.api_secret}{name}".encode()).hexdigest()  # noqa: S324 - Nightscout's own form.
        token = f"{name[:10].lower()}-{digest[:_DIGEST_HEX]}"
        self.roles[token] = roles or ("readable",)
        return token

    def revoke(self, token: str) -> None:
        """Delete a subject; its web tokens are worth nothing from now on."""
        self.roles.pop(token, None)

    def permissions(self, token: str) -> list[list[str]] | None:
        """The permissions of an access token, one list per role; None for an unknown token."""
        if token not in self.roles:
            return None
        return [list(ROLES[role]) for role in self.roles[token]]

    def exchange(self, token: str, now_s: int) -> dict[str, Any] | None:
        """The answer of `/api/v2/authorization/request/{token}`; None for an unknown token."""
        groups = self.permissions(token)
        if groups is None:
            return None
        claims = {"accessToken": token, "iat": now_s, "exp": now_s + LIFETIME_S}
        subject = token.rpartition("-")[0]
        return {
            "token": self._signed(claims),
            "sub": subject,
            "permissionGroups": groups,
            "iat": claims["iat"],
            "exp": claims["exp"],
        }

    def of_request(self, headers: dict[str, str], query: dict[str, str], now_s: int) -> str | None:
        """The access token of a request, in any of the forms that Nightscout accepts; None without one."""
        scheme, _, credential = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._verified(credential, now_s)
        given = query.get("token") or query.get("secret") or headers.get("api-secret", "")
        given = given.removeprefix("token=")
        if given in self.roles:
            return given
        sha1 = {hashlib.sha1(token.encode()).hexdigest(): token for token in self.roles}  # noqa: S324 - as above.
        return sha1.get(given.lower())

    def allows(self, token: str | None, permission: str) -> bool:
        """Whether the token's roles contain a permission such as `api:entries:read`."""
        groups = self.permissions(token) if token else None
        return any(_implies(held, permission) for group in groups or () for held in group)

    def _signed(self, claims: dict[str, Any]) -> str:
        head = _encoded(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
        body = _encoded(json.dumps(claims, separators=(",", ":")).encode())
        return f"{head}.{body}.{self._signature(f'{head}.{body}')}"

    def _signature(self, text: str) -> str:
        return _encoded(hmac.new(self.api_secret.encode(), text.encode(), hashlib.sha256).digest())

    def _verified(self, jwt: str, now_s: int) -> str | None:
        text, _, signature = jwt.rpartition(".")
        if not hmac.compare_digest(self._signature(text), signature):
            return None
        body = text.partition(".")[2]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        token: str = claims["accessToken"]
        return token if claims["exp"] > now_s and token in self.roles else None


def _implies(held: str, wanted: str) -> bool:
    """Apache Shiro's rule: part by part, and a missing part means everything below."""
    parts = held.split(":")
    return all(part in {"*", asked} for part, asked in zip(parts, wanted.split(":"), strict=False))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
