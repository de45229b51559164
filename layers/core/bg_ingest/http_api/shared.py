"""
Requests of readers: the routes below /api/shared, whose bearer token is that of a grant.

The gateway does not check these routes. `admit` finds the reader before the route runs, and raises one and
the same 401 for an unknown, an expired and a revoked grant. The handler is the one of the person's own route.
It reads from `guard.visible`, which leaves out everything outside the days of the grant.

    app = serving.routes(api, audit, shared=SharedRoutes(grants, {"/api/shared/latest": Category.READINGS}))

    def latest(user_id: params.UserId) -> Response[str]:
        newest = guard.visible(app, reading_store).latest(user_id)

    app.get("/api/bg/<user_id>/latest", **LATEST)(latest)
    app.get("/api/shared/latest", **SHARED_LATEST)(shared.of_reader(app, latest))
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

from bg_ingest import problems, telemetry
from bg_ingest.access.caller import Forbidden
from bg_ingest.access.grants import GrantInvalid, GrantLimited, ReaderRequest
from bg_ingest.http_api.description import PROBLEMS, SHARED
from bg_ingest.http_api.guard import READER
from bg_ingest.http_api.responding import too_many_requests
from bg_ingest.problems import Problem
from bg_ingest.telemetry import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

    from bg_ingest.access.grant import Category, Reader
    from bg_ingest.access.grants import GrantService

    Handler = Callable[..., Response[Any]]

_BEARER = "bearer "


@dataclass(frozen=True, slots=True)
class SharedRoutes:
    """The routes of a function that readers may call, and the kind of data that each opens."""

    grants: GrantService
    categories: Mapping[str, Category]


def admit(app: APIGatewayHttpResolver, grants: GrantService, category: Category) -> None:
    """Find the reader of a request to a shared route, or raise 401, 403 or 429."""
    event = app.current_event.raw_event
    reader = reader_of(grants, event, _bearer(event))
    try:
        reader.must_read(category)
    except Forbidden:
        raise Problem(problems.FORBIDDEN, f"This grant does not open `{category}`.") from None
    app.context[READER] = reader


def reader_of(grants: GrantService, event: Mapping[str, Any], credential: str) -> Reader:
    """Return the reader with this credential, or raise 401 or 429; a wrong credential is counted."""
    http = event["requestContext"]["http"]
    request = ReaderRequest(
        address=http["sourceIp"],
        user_agent=http.get("userAgent") or "",
        action=event["routeKey"],
        correlation_id=telemetry.correlation_id(),
    )
    try:
        return grants.reader(credential, request)
    except GrantInvalid:
        if credential:
            telemetry.measure(metrics.WRONG_SECRETS)
        raise Problem(problems.GRANT_INVALID) from None
    except GrantLimited as limited:
        if limited.wrong:
            telemetry.measure(metrics.WRONG_SECRETS)
        raise too_many_requests(limited.policy, limited.status) from None


def of_reader(app: APIGatewayHttpResolver, handler: Handler) -> Handler:
    """Return a handler without the parameter `user_id`, which it takes from the reader's grant."""

    def shared_handler(**arguments: Any) -> Response[Any]:
        reader: Reader = app.context[READER]
        return handler(reader.user_id, **arguments)

    # Powertools reads the parameters from the signature. The types are resolved here, because their names are
    # those of the handler's module.
    hints = get_type_hints(handler, include_extras=True)
    own = inspect.signature(handler)
    named = [
        each.replace(annotation=hints[name]) for name, each in own.parameters.items() if name != "user_id"
    ]
    shared_handler.__signature__ = own.replace(  # type: ignore[attr-defined] # Functions may have one.
        parameters=[each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in named],
        return_annotation=hints["return"],
    )
    shared_handler.__name__ = f"shared_{handler.__name__}"
    return shared_handler


def described(description: Mapping[str, Any], operation_id: str) -> dict[str, Any]:
    """Return the description of a person's route, changed into that of the reader's route."""
    notes = description["openapi_extensions"]
    slugs = [problems.GRANT_INVALID.slug, problems.FORBIDDEN.slug, problems.TOO_MANY_REQUESTS.slug]
    return {
        **description,
        "operation_id": operation_id,
        "tags": [SHARED],
        "security": [{"grant": []}],
        "openapi_extensions": notes | {PROBLEMS: [*notes[PROBLEMS], *slugs]},
    }


def _bearer(event: Mapping[str, Any]) -> str:
    sent: str = event["headers"].get("authorization") or ""
    return sent[len(_BEARER) :].strip() if sent[: len(_BEARER)].lower() == _BEARER else ""
