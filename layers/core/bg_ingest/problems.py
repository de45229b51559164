"""
Errors as callers see them: RFC 9457 problem documents, every kind of them named here and nowhere else.

A problem says what the caller can do about it. It never carries a stack trace, or what was in the request.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONTENT_TYPE = "application/problem+json"
_TYPE_PREFIX = "https://bg-ingest.dev/problems/"


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One kind of problem; `slug` ends its type address and never changes."""

    slug: str
    status: int
    title: str
    detail: str  # Said where nothing closer is known.

    @property
    def type(self) -> str:
        """The address that stands for this kind."""
        return _TYPE_PREFIX + self.slug


INVALID_REQUEST = ProblemKind(
    "invalid-request", 422, "The request is not valid", "`errors` says what is not valid, and why."
)
RANGE_TOO_LONG = ProblemKind(
    "range-too-long", 422, "The range is too long", "Ask for shorter ranges, one after the other."
)
SIGNATURE_INVALID = ProblemKind(
    "signature-invalid",
    401,
    "The request does not prove who sent it",
    "The proof is missing, wrong, or of another time.",
)
FORBIDDEN = ProblemKind(
    "forbidden", 403, "Not allowed", "The token is neither this user's nor has the scope for it."
)
NO_READINGS = ProblemKind(
    "no-readings", 404, "There are no readings", "Nothing is stored about this user, or nothing any more."
)
NOT_FOUND = ProblemKind("not-found", 404, "There is nothing here", "No route has this path and this method.")
USER_UNKNOWN = ProblemKind(
    "user-unknown",
    404,
    "There is no such user, or they are not connected",
    "Nothing about this user is wanted.",
)
BODY_TOO_LARGE = ProblemKind("body-too-large", 413, "The body is too large", "Send less at once.")
STATE_INVALID = ProblemKind(
    "state-invalid",
    400,
    "This login is not valid, or no longer",
    "It was used before, is older than ten minutes, or not ours.",
)
SYNC_RUNNING = ProblemKind(
    "sync-running", 409, "A sync is running already", "Wait for it, or look at its job."
)
NOT_CONNECTED = ProblemKind(
    "not-connected", 409, "The user is not connected", "A login begins with POST to the user's connection."
)
REAUTHORIZATION_NEEDED = ProblemKind(
    "reauthorization-needed",
    409,
    "The user has to connect again",
    "The provider refuses us. A login begins with POST to the user's connection.",
)
TOO_MANY_REQUESTS = ProblemKind(
    "too-many-requests", 429, "Too many requests", "`Retry-After` says when to ask again."
)
PROVIDER_UNAVAILABLE = ProblemKind(
    "provider-unavailable",
    503,
    "The provider cannot be reached",
    "The sync is queued and will be tried again without being asked for.",
)
TEMPORARILY_UNAVAILABLE = ProblemKind(
    "temporarily-unavailable",
    503,
    "We are too busy, or cannot reach what we need",
    "Nothing is wrong with the request: send it again after `Retry-After`. Repeating it does no harm.",
)
INTERNAL = ProblemKind(
    "internal",
    500,
    "Something went wrong on our side",
    "Nothing is wrong with the request; `instance` is the id to ask by.",
)


class Problem(Exception):
    """An answer that is an error; raised where it is noticed, rendered at the edge."""

    def __init__(
        self,
        kind: ProblemKind,
        detail: str | None = None,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(kind.slug)
        self.kind = kind
        self.detail = detail or kind.detail
        self.errors = errors
        self.headers = dict(headers or {})
        self.members = members

    def document(self, correlation_id: str) -> str:
        """The body of the answer."""
        document: dict[str, Any] = {
            "type": self.kind.type,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "instance": correlation_id,
        }
        if self.errors:
            document["errors"] = list(self.errors)
        return json.dumps(document | self.members, separators=(",", ":"))
