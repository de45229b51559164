"""
Error responses in the OpenAPI document: problem documents by status, and the errors of the gateway.

- Every route can respond 422: for its input, or for a query parameter that it does not have.
- If a route needs a token, then the gateway can respond 401, and the route 403, and 404 for an invalid id.
- Every route can respond 500, and the gateway 429. Every route that needs AWS can respond 503.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from bg_ingest import problems
from bg_ingest.http_api.description import CORRELATION_ID, RATE_HEADERS, schema_ref

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bg_ingest.problems import ProblemKind

KINDS = {kind.slug: kind for kind in vars(problems).values() if isinstance(kind, problems.ProblemKind)}
_WITH_RETRY_AFTER = {
    problems.PROVIDER_UNAVAILABLE,
    problems.TEMPORARILY_UNAVAILABLE,
    problems.TOO_MANY_REQUESTS,
}


class FaultJson(TypedDict):
    """One invalid field of a request; its value is never repeated."""

    field: str
    reason: str


class ProblemJson(TypedDict):
    """An error (RFC 9457)."""

    type: Annotated[str, Field(description="The kind of problem", examples=[problems.FORBIDDEN.type])]
    title: str
    status: int
    detail: Annotated[str, Field(description="What to do next")]
    instance: Annotated[str, Field(description="The correlation id; quote it when you report the error")]
    errors: NotRequired[list[FaultJson]]
    job_id: NotRequired[
        Annotated[str | None, Field(description="The job of the sync that is running or queued")]
    ]


class GatewayRefusalJson(TypedDict):
    """An error response of the gateway, sent before the request reaches the service."""

    message: str


def every_kind() -> list[ProblemKind]:
    """Return every kind of problem, by status."""
    return sorted(KINDS.values(), key=lambda kind: (kind.status, kind.slug))


def shared_responses() -> dict[str, Any]:
    """Return the error responses that most routes share, by their names under components/responses."""
    return {
        "Unauthorized": _of_gateway("The token is missing or not valid. The gateway sends this response."),
        "Forbidden": _of([problems.FORBIDDEN]),
        "TooManyRequests": _of_gateway(
            "All callers together send too many requests. The gateway sends this response."
        ),
        "Internal": _of([problems.INTERNAL]),
        "TemporarilyUnavailable": _of([problems.TEMPORARILY_UNAVAILABLE]),
    }


def error_responses(own_kinds: Iterable[ProblemKind], *, guarded: bool, needs_aws: bool) -> dict[str, Any]:
    """Return every error response of one route, by status."""
    shared = {"429": "TooManyRequests", "500": "Internal"}
    kinds = [*own_kinds, problems.INVALID_REQUEST]
    if guarded:
        kinds.append(problems.NOT_FOUND)
        shared |= {"401": "Unauthorized", "403": "Forbidden"}
    if guarded or needs_aws:
        shared["503"] = "TemporarilyUnavailable"
    by_status: dict[str, list[ProblemKind]] = defaultdict(list)
    for kind in kinds:
        by_status[str(kind.status)].append(kind)
    if "503" in by_status:
        by_status["503"].append(problems.TEMPORARILY_UNAVAILABLE)
    own = {status: _of(found) for status, found in by_status.items()}
    if "429" in own:
        # The limit of one caller is the service's, the limit of all callers together is the gateway's.
        own["429"]["content"] |= shared_responses()["TooManyRequests"]["content"]
    return {status: {"$ref": f"#/components/responses/{name}"} for status, name in shared.items()} | own


def _of(kinds: Iterable[ProblemKind]) -> dict[str, Any]:
    kinds = sorted(kinds, key=lambda kind: kind.slug)
    names = ["Retry-After"] if _WITH_RETRY_AFTER.intersection(kinds) else []
    names += RATE_HEADERS if problems.TOO_MANY_REQUESTS in kinds else ()
    types = {"properties": {"type": {"enum": [kind.type for kind in kinds]}}}
    schema = {"allOf": [{"$ref": schema_ref(ProblemJson)}, types]}
    return {
        "description": "; ".join(f"`{kind.slug}`: {kind.title}" for kind in kinds),
        "headers": {
            name: {"$ref": f"#/components/headers/{name}"}
            for name in (*names, "Cache-Control", CORRELATION_ID)
        },
        "content": {problems.CONTENT_TYPE: {"schema": schema}},
    }


def _of_gateway(description: str) -> dict[str, Any]:
    schema = {"$ref": schema_ref(GatewayRefusalJson)}
    return {"description": description, "content": {"application/json": {"schema": schema}}}
