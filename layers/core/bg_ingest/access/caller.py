"""The caller of a request, from the claims of a token that the gateway has already checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

READ_SCOPE = "bg/read"
WRITE_SCOPE = "bg/write"


class Forbidden(Exception):
    """The caller may not do this; the same for a known and an unknown user."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A person, who may access their own data, or a service, which has scopes instead of a user id."""

    actor: str = field(repr=False)  # For the audit: the token's subject.
    user_id: str | None = field(repr=False)  # The user that the token names, if any.
    scopes: frozenset[str]

    def must_read(self, user_id: str) -> None:
        """Raise Forbidden unless this caller may read this user's data."""
        self._must(user_id, READ_SCOPE)

    def must_write(self, user_id: str) -> None:
        """Raise Forbidden unless this caller may change this user's data."""
        self._must(user_id, WRITE_SCOPE)

    def must_be(self, user_id: str) -> None:
        """Raise Forbidden unless this caller is the user."""
        if self.user_id != user_id:
            raise Forbidden

    def must_read_everyone(self) -> None:
        """Raise Forbidden unless this caller may read the data of every user."""
        if READ_SCOPE not in self.scopes:
            raise Forbidden

    def _must(self, user_id: str, scope: str) -> None:
        if self.user_id != user_id and scope not in self.scopes:
            raise Forbidden


def caller_from_claims(
    claims: Mapping[str, Any], user_id_claim: str, service_ids: Collection[str] = ()
) -> Caller:
    """
    The caller of a checked token; `user_id_claim` is the claim that names a user.

    Scopes count only for the subjects in `service_ids`. An issuer may grant a scope to any person that asks
    for it, or to a client through which people sign in. So a token that names a person gives that person's
    rights only.
    """
    subject = _text_in(claims, "sub") or _text_in(claims, "client_id")
    user_id = _text_in(claims, user_id_claim)
    if subject in service_ids and user_id in {None, subject}:
        return Caller(subject or "", None, frozenset(_scopes(claims)))
    return Caller(_text_in(claims, "sub") or "", user_id, frozenset())


def _text_in(claims: Mapping[str, Any], name: str) -> str | None:
    """A claim; None if it is absent, empty, not a text, or half a surrogate pair, which nothing can store."""
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        return None
    return value if value.encode(errors="replace").decode() == value else None


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    """
    Most issuers send `scope`, separated by spaces (RFC 8693, 4.2: a comma is part of a scope's name there).

    Some send a list as `scp`, which the gateway turns into text: "[a b]".
    """
    scope, scp = (value if isinstance(value, str) else "" for value in map(claims.get, ("scope", "scp")))
    return scope.split() + scp.strip("[]").replace(",", " ").split()
