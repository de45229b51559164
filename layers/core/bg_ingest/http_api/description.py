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
STATISTICS, EXPORT, GRANTS, SHARED = "Statistics", "Export", "Grants", "Readers"
PRIVACY, SERVICE = "Privacy", "The service itself"
RATE_HEADERS = ("RateLimit", "RateLimit-Policy")
PERSON_ONLY = "person-only"  # In place of a scope: no service may use the route.
CORRELATION_ID = "X-Correlation-ID"
PROBLEMS, REQUEST_HEADERS = "x-problems", "x-request-headers"  # Notes that only `make interface` reads.

Instant = Annotated[datetime, Field(description="RFC 3339, in UTC with Z", examples=["2026-04-26T14:30:00Z"])]


def describe(  # noqa: PLR0913 - one argument for each part of a description.
    operation_id: str,
    tag: str,
    summary: str,
    *responses: tuple[int, dict[str, Any]],
    scope: str | None = None,
    services_only: bool = False,
    problems: Sequence[ProblemKind] = (),
    request_headers: Sequence[str] = (),
    raw_bodies: Sequence[type] = (),
) -> dict[str, Any]:
    """
    Return the arguments that a route of Powertools takes for its description.

    `scope` is what a service token needs, or PERSON_ONLY; without one the route is open. With `services_only`
    the token of a user is not accepted. `problems` are those of this route alone: `make interface` adds the
    common ones. `raw_bodies` are the schemas of a body that the route parses itself.
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
        "security": _security(scope, services_only=services_only),
        "openapi_extensions": notes,
    }


def _security(scope: str | None, *, services_only: bool) -> list[dict[str, list[str]]] | None:
    if scope is None:
        return None
    person: list[dict[str, list[str]]] = [] if services_only else [{"person": []}]
    return person if scope == PERSON_ONLY else [*person, {"service": [scope]}]


def response(
    status: HTTPStatus | int,
    description: str,
    *bodies: type,
    is_list: bool = False,
    media_types: Sequence[str] = (),
    headers: Sequence[str] = (),
) -> tuple[int, dict[str, Any]]:
    """Describe one successful response: its JSON body, one of several, or other media types."""
    content: dict[str, Any] = {}
    if bodies:
        schemas: list[dict[str, Any]] = [{"$ref": schema_ref(body)} for body in bodies]
        schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
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
