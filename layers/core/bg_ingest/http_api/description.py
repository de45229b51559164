"""
OpenAPI description of a route, written in the module that has the route.

    LATEST = describe("getLatestReading", READINGS, "The newest reading.", response(200, …), scope=READ_SCOPE)

    @app.get("/api/bg/<user_id>/latest", **LATEST)
    def latest(…): …

`make interface` collects the descriptions of all functions into openapi.json. Every cold start runs this
code, so it builds plain dicts only. A response body is a TypedDict: its fields stay text until then.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

if TYPE_CHECKING:
    from collections.abc import Sequence
    from http import HTTPStatus

    from bg_ingest.problems import ProblemKind

READINGS, SYNCING, CONNECTING = "Readings", "Syncing", "Connecting"
STATISTICS = "Statistics"
PRIVACY, SERVICE = "Privacy", "The service itself"
RATE_HEADERS = ("RateLimit", "RateLimit-Policy")
CORRELATION_ID = "X-Correlation-ID"
PROBLEMS, REQUEST_HEADERS = "x-problems", "x-request-headers"  # Notes that only `make interface` reads.

Instant = Annotated[datetime, Field(description="RFC 3339, in UTC with Z", examples=["2026-04-26T14:30:00Z"])]


def describe(
    operation_id: str,
    tag: str,
    summary: str,
    *responses: tuple[int, dict[str, Any]],
    scope: str | None = None,
    problems: Sequence[ProblemKind] = (),
    request_headers: Sequence[str] = (),
    raw_bodies: Sequence[type] = (),
) -> dict[str, Any]:
    """
    Return the arguments that a route of Powertools takes for its description.

    `scope` is what a service token needs; without one the route is open. `problems` are those of this
    route alone: `make interface` adds the common ones. `raw_bodies` are the schemas of a body that the route
    parses itself.
    """
    notes: dict[str, Any] = {
        PROBLEMS: [kind.slug for kind in problems],
        REQUEST_HEADERS: [*request_headers, CORRELATION_ID],
    }
    if raw_bodies:
        schema = {"anyOf": [{"$ref": schema_ref(body)} for body in raw_bodies]}
        text = "The signature or token covers every byte of the body"
        content = {"application/json": {"schema": schema}}
        notes["requestBody"] = {"description": text, "content": content, "required": True}
    return {
        "operation_id": operation_id,
        "tags": [tag],
        "summary": summary,
        "responses": dict(responses),
        "security": [{"person": []}, {"service": [scope]}] if scope else None,
        "openapi_extensions": notes,
    }


def response(
    status: HTTPStatus | int,
    description: str,
    body: type | None = None,
    *,
    is_list: bool = False,
    media_types: Sequence[str] = (),
    headers: Sequence[str] = (),
) -> tuple[int, dict[str, Any]]:
    """Describe one successful response: its JSON body, or the other media types it comes in."""
    content: dict[str, Any] = {}
    if body:
        schema: dict[str, Any] = {"$ref": schema_ref(body)}
        content["application/json"] = {"schema": {"type": "array", "items": schema} if is_list else schema}
    for media_type in media_types:
        content[media_type] = {"schema": {"type": "object" if media_type == "application/json" else "string"}}
    names = (*headers, "Cache-Control", CORRELATION_ID)
    return int(status), {
        "description": description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": content,
    }


def schema_ref(body: type) -> str:
    """The address of a body's schema in the document: JobJson is the class of the schema Job."""
    return f"#/components/schemas/{body.__name__.removesuffix('Json')}"


def not_modified(*headers: str) -> tuple[int, dict[str, Any]]:
    """Describe the answer to a caller whose `If-None-Match` still holds."""
    return response(304, "Unchanged since the response whose ETag was sent", headers=("ETag", *headers))
