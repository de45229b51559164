"""How routes say no: problem documents by status, and what the gateway answers in our place."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from bg_ingest import problems
from tools.interface.routes import SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bg_ingest.problems import ProblemKind
    from tools.interface.routes import Entry

# Answers that many routes have in common: the name under components/responses.
_SHARED = {
    401: "Unauthorized",
    403: "Forbidden",
    429: "TooManyRequests",
    500: "Internal",
    503: "TemporarilyUnavailable",
}
_OF_OPEN_ROUTES = {429, 500, 503}
_OF_THE_SERVICE_ITSELF = {429, 500}  # It needs nothing of AWS, or says so in words of its own.
_WITH_RETRY_AFTER = {
    problems.PROVIDER_UNAVAILABLE,
    problems.TEMPORARILY_UNAVAILABLE,
    problems.TOO_MANY_REQUESTS,
}


def every_kind() -> list[ProblemKind]:
    """Every kind of problem there is."""
    kinds = [kind for kind in vars(problems).values() if isinstance(kind, problems.ProblemKind)]
    return sorted(kinds, key=lambda kind: (kind.status, kind.slug))


def shared_refusals() -> dict[str, Any]:
    """The answers that many routes have in common."""
    return {
        "Unauthorized": _by_gateway("There is no token, or it is not valid. The gateway's own answer."),
        "Forbidden": _of([problems.FORBIDDEN]),
        "TooManyRequests": _by_gateway(
            "Too many requests from all callers together. The gateway's own answer."
        ),
        "Internal": _of([problems.INTERNAL]),
        "TemporarilyUnavailable": _of([problems.TEMPORARILY_UNAVAILABLE]),
    }


def refusals(entry: Entry, *, takes_input: bool) -> dict[str, Any]:
    """Every refusal of one route, by status."""
    kinds = list(entry.refusals)
    if takes_input:
        kinds.append(problems.INVALID_REQUEST)
    if entry.scope:
        kinds.append(problems.NOT_FOUND)  # Every such route has an id in its path, which may be none.
    if problems.PROVIDER_UNAVAILABLE in kinds:
        kinds.append(problems.TEMPORARILY_UNAVAILABLE)  # What all have under 503 goes where there is another.
    by_status: dict[int, list[ProblemKind]] = defaultdict(list)
    for kind in kinds:
        by_status[kind.status].append(kind)
    shared = _OF_THE_SERVICE_ITSELF if entry.tag == SERVICE else _OF_OPEN_ROUTES
    everybodys = {
        str(status): {"$ref": f"#/components/responses/{name}"}
        for status, name in _SHARED.items()
        if entry.scope or status in shared
    }
    own = {str(status): _of(found) for status, found in by_status.items()}
    if "429" in own:
        # The caller's own limit is ours, the limit of all callers together is the gateway's.
        own["429"]["content"] |= shared_refusals()["TooManyRequests"]["content"]
    return everybodys | own


def _of(kinds: Iterable[ProblemKind]) -> dict[str, Any]:
    kinds = sorted(kinds, key=lambda kind: kind.slug)
    names = ["Retry-After"] if _WITH_RETRY_AFTER.intersection(kinds) else []
    names += ["RateLimit", "RateLimit-Policy"] if problems.TOO_MANY_REQUESTS in kinds else []
    types = {"properties": {"type": {"enum": [kind.type for kind in kinds]}}}
    schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, types]}
    return {
        "description": "; ".join(f"`{kind.slug}`: {kind.title}" for kind in kinds),
        "headers": {
            name: {"$ref": f"#/components/headers/{name}"}
            for name in (*names, "Cache-Control", "X-Correlation-ID")
        },
        "content": {problems.CONTENT_TYPE: {"schema": schema}},
    }


def _by_gateway(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/GatewayRefusal"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}
