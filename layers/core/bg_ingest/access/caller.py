"""The caller of a request, from the claims of a token that the gateway has already checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

READ_SCOPE = "bg/read"
WRITE_SCOPE = "bg/write"


class Forbidden(Exception):
    """The caller may not do this; the same for a known and an unknown user."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A person, who may access their own data, or a service, which needs a scope."""

    actor: str = field(repr=False)  # For the audit: the token's subject.
    user_id: str | None = field(repr=False)  # The user that the token names, if any.
    scopes: frozenset[str]

    def must_read(self, user_id: str) -> None:
        """Raise Forbidden unless this caller may read this user's data."""
        self._must(user_id, READ_SCOPE)

    def must_write(self, user_id: str) -> None:
        """Raise Forbidden unless this caller may change this user's data."""
        self._must(user_id, WRITE_SCOPE)

    def _must(self, user_id: str, scope: str) -> None:
        if self.user_id != user_id and scope not in self.scopes:
            raise Forbidden


def caller_from_claims(claims: Mapping[str, Any], user_id_claim: str) -> Caller:
    """The caller of a checked token; `user_id_claim` is the claim that names a user."""
    subject = claims.get("sub")
    user_id = claims.get(user_id_claim)
    return Caller(
        actor=subject if isinstance(subject, str) else "",
        user_id=user_id if isinstance(user_id, str) and user_id else None,
        scopes=frozenset(_scopes(claims)),
    )


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    """
    Most issuers send `scope`, separated by spaces (RFC 8693, 4.2: a comma is part of a scope's name there).

    Some send a list as `scp`, which the gateway turns into text: "[a b]".
    """
    scope, scp = (value if isinstance(value, str) else "" for value in map(claims.get, ("scope", "scp")))
    return scope.split() + scp.strip("[]").replace(",", " ").split()
