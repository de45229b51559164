"""
Error responses: RFC 9457 problem documents, and the list of all their kinds.

The title says what is wrong, and the detail says what to do next. A problem document never holds a stack
trace or a value from the request.
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
    """One kind of problem. `slug` is the last part of its type URI and never changes."""

    slug: str
    status: int
    title: str
    detail: str  # The default; a Problem may carry a more precise one.

    @property
    def type(self) -> str:
        """Return the type URI, which identifies this kind."""
        return _TYPE_PREFIX + self.slug


INVALID_REQUEST = ProblemKind(
    "invalid-request", 422, "The request is not valid", "`errors` lists each invalid field and the reason."
)
RANGE_TOO_LONG = ProblemKind(
    "range-too-long", 422, "The range is too long", "Send several requests for shorter ranges."
)
SIGNATURE_INVALID = ProblemKind(
    "signature-invalid",
    401,
    "The webhook is not authenticated",
    "The signature or token is missing, wrong, expired, or made for another body. Sign the exact bytes of the"
    " body with a current secret and timestamp.",
)
GRANT_INVALID = ProblemKind(
    "grant-invalid",
    401,
    "The grant is not valid",
    "The token is missing or unknown, or its grant has expired or was revoked. Ask the user for a new one.",
)
FORBIDDEN = ProblemKind(
    "forbidden",
    403,
    "Not allowed",
    "This token belongs to another user and lacks the scope that this request needs.",
)
NO_READINGS = ProblemKind(
    "no-readings",
    404,
    "There are no readings",
    "No reading of this user is stored. Connect the user, or wait for the first sync.",
)
NOT_FOUND = ProblemKind(
    "not-found", 404, "There is nothing here", "No route has this path and method. See /docs for all routes."
)
METHOD_NOT_ALLOWED = ProblemKind(
    "method-not-allowed",
    405,
    "This path has no such method",
    "Use one of the methods in `Allow`. See /docs for all routes.",
)
USER_UNKNOWN = ProblemKind(
    "user-unknown",
    404,
    "The user does not exist or is not connected",
    "Data for this user is not accepted. Send it after the user has connected.",
)
BODY_TOO_LARGE = ProblemKind(
    "body-too-large", 413, "The body is too large", "Split the data over several requests."
)
STATE_INVALID = ProblemKind(
    "state-invalid",
    400,
    "This login is not valid, or no longer",
    "Its `state` was already used, is older than ten minutes, or was not issued by this API. Start a new"
    " login with POST /api/bg/{userId}/connection.",
)
CONFIRMATION_INVALID = ProblemKind(
    "confirmation-invalid",
    404,
    "There is no login with this code",
    "The code is wrong, was used, is older than ten minutes, or belongs to another user. Start a new login"
    " with POST /api/bg/{userId}/connection.",
)
ACCOUNT_CHANGED = ProblemKind(
    "account-changed",
    409,
    "The login belongs to another account at the provider",
    "The stored readings are of another account, so this login was not used. Log in with the account used"
    " before, or erase the user's data and connect again.",
)
SYNC_RUNNING = ProblemKind(
    "sync-running",
    409,
    "A sync is running already",
    "Wait until it ends. `job_id` is its job, if it is known.",
)
NOT_CONNECTED = ProblemKind(
    "not-connected",
    409,
    "The user is not connected",
    "Start a login with POST /api/bg/{userId}/connection.",
)
REAUTHORIZATION_NEEDED = ProblemKind(
    "reauthorization-needed",
    409,
    "The user has to connect again",
    "The provider no longer accepts this connection. Start a login with POST /api/bg/{userId}/connection.",
)
TOO_MANY_REQUESTS = ProblemKind(
    "too-many-requests", 429, "Too many requests", "Retry after `Retry-After` seconds."
)
TOO_MANY_GRANTS = ProblemKind(
    "too-many-grants", 409, "The user has too many grants", "Revoke a grant that is no longer used."
)
TOO_MANY_EXPORTS = ProblemKind(
    "too-many-exports",
    409,
    "Too many exports are running",
    "Wait until one of them has finished, or remove it.",
)
PROVIDER_UNAVAILABLE = ProblemKind(
    "provider-unavailable",
    503,
    "The provider cannot be reached",
    "The sync is queued and will be retried automatically. `job_id` is its job.",
)
TEMPORARILY_UNAVAILABLE = ProblemKind(
    "temporarily-unavailable",
    503,
    "The service is overloaded, or a part of it cannot be reached",
    "The request is valid. Send it again after `Retry-After` seconds; a repetition has no side effect.",
)
INTERNAL = ProblemKind(
    "internal", 500, "Internal error", "This is a fault on our side. Quote `instance` when you report it."
)


class Problem(Exception):
    """An error response: raised where the error is found, rendered by `http_api.serving`."""

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
        """Return the body of the response."""
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


def invalid_field(field: str, reason: str) -> Problem:
    """Return the 422 for one invalid field; `reason` must not repeat its value."""
    return Problem(INVALID_REQUEST, errors=[{"field": field, "reason": reason}])
