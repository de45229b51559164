"""
HTTP server code that all functions share: routing, access, and the responses to errors.

A function adds its routes to the resolver of `routes()`, and its entry point calls `serve()`. If a route
raises an exception, then the response is a problem document (RFC 9457).
"""

from __future__ import annotations

import base64
import json
import logging
import re
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Protocol

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from bg_ingest import problems, telemetry
from bg_ingest.access.caller import Caller, Forbidden, caller_from_claims
from bg_ingest.http_api import aws_errors, guard, responding, shared
from bg_ingest.http_api.requests.parsing import faults_in_names
from bg_ingest.problems import Problem
from bg_ingest.telemetry import metrics

if TYPE_CHECKING:
    from collections.abc import Collection

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from bg_ingest.access.audit import Audit
    from bg_ingest.access.caller_limits import WriteLimits
    from bg_ingest.clock import Clock
    from bg_ingest.http_api.guard import Next
    from bg_ingest.http_api.shared import SharedRoutes
    from bg_ingest.settings import Settings

# Of every response: no browser guesses another type than the declared one, or falls back to plain HTTP.
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
}
PUBLIC_NAMES = {
    "user_id": "userId",
    "job_id": "jobId",
    "grant_id": "grantId",
    "export_id": "exportId",
}  # Parameter names in Python and in the API.
_ANY_PATH = "^.*$"  # The rule of the route that Powertools makes for a request without one.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """The settings of the service that HTTP responses depend on."""

    user_id_claim: str
    public_url: str | None
    return_urls: frozenset[str]
    service_ids: frozenset[str] = frozenset()  # The subjects whose scopes count.

    @classmethod
    def of(cls, settings: Settings) -> ApiSettings:
        """Take them from the settings of the process."""
        return cls(
            settings.user_id_claim,
            settings.public_url,
            _parts(settings.return_urls),
            _parts(settings.service_client_ids),
        )


def _parts(text: str) -> frozenset[str]:
    return frozenset(filter(None, (part.strip() for part in text.split(","))))


def routes(
    api: ApiSettings,
    audit: Audit | None = None,
    limits: WriteLimits | None = None,
    *,
    authenticates_itself: bool = False,
    person_only: bool = False,
    shared_routes: SharedRoutes | None = None,
    open_queries: Collection[str] = (),
) -> APIGatewayHttpResolver:
    """
    Return a resolver that checks access, limits writes and audits each request before the route runs.

    With `authenticates_itself` it checks no access: its routes are called without a token. With `person_only`
    no service has access. `shared_routes` are for readers: see `http_api.shared`. The routes whose paths are
    `open_queries` ignore unknown query parameters.
    """
    app = APIGatewayHttpResolver(enable_validation=True)
    app.use([_reject_trailing_newline])
    access = _Access(api, audit, limits, shared_routes, person_only=person_only, is_open=authenticates_itself)
    app.use([access.check])
    app.use([lambda app, route: _refuse_wrong_names(app, route, open_queries)])

    @app.exception_handler(Problem)
    def _problem(problem: Problem) -> Response[str]:
        return responding.problem_response(problem)

    @app.exception_handler(Forbidden)
    def _forbidden(_: Forbidden) -> Response[str]:
        return responding.problem_response(guard.forbidden(app, person_only=person_only))

    @app.exception_handler(RequestValidationError)
    def _invalid(error: RequestValidationError) -> Response[str]:
        # Powertools validates before the access check. A caller without access must not get the faults.
        refusal = access.refusal(app, error)
        if refusal:
            return responding.problem_response(refusal)
        # The field and the reason, never the value: the value may be health data.
        faults = _faults_in_query(app, open_queries)
        named = {fault["field"] for fault in faults}
        others = [{"field": _field(fault["loc"]), "reason": _reason(fault)} for fault in error.errors()]
        faults += [fault for fault in others if fault["field"] not in named]
        return responding.problem_response(Problem(problems.INVALID_REQUEST, errors=faults))

    @app.exception_handler(NotFoundError)
    def _not_found(_: NotFoundError) -> Response[str]:
        return responding.problem_response(Problem(problems.NOT_FOUND))

    @app.exception_handler(Exception)
    def _unexpected(error: Exception) -> Response[str]:
        telemetry.log("request failed", level=logging.ERROR, raised=error)
        return responding.problem_response(aws_errors.problem_of(error))

    return app


class Resolver(Protocol):
    """The routes of a function."""

    def resolve(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answer one request."""
        ...


def serve(
    app: Resolver,
    event: dict[str, Any],
    context: LambdaContext,
    clock: Clock,
    *,
    raw_body: bool = False,
) -> dict[str, Any]:
    """
    Handle one request; its correlation id is in every log line and in the response.

    With `raw_body` the event keeps its body byte for byte, because the route parses it itself. HEAD is
    answered as GET, without the body. A body over 1 kB is compressed if the caller accepts that.
    """
    is_head = event["requestContext"]["http"]["method"] == "HEAD"
    event = _as_get(event) if is_head else event
    request = event["requestContext"]
    candidates = telemetry.header_ids(event.get("headers") or {}, request["requestId"])
    correlation_id = telemetry.adopt_correlation_id(*candidates)
    # A body is read as JSON even if its Content-Type says otherwise: `curl -d` sends that of a form.
    as_json = event | {"headers": {**(event.get("headers") or {}), "content-type": "application/json"}}
    if event.get("body") and not raw_body:
        as_json |= {"body": _json_text(event), "isBase64Encoded": False}
    started_s = clock.monotonic_s()
    answer = app.resolve(as_json, context)
    latency_s = clock.monotonic_s() - started_s
    answer.setdefault("headers", {}).update({"X-Correlation-ID": correlation_id, **_SECURITY_HEADERS})
    # The pattern of the route, not the path: a path holds a user id.
    telemetry.log(
        "request answered",
        route=event.get("routeKey"),
        status=answer["statusCode"],
        latency_ms=round(latency_s * 1000, 1),
    )
    telemetry.measure(metrics.API_REQUESTS, of=f"{answer['statusCode'] // 100}xx")
    telemetry.measure(metrics.API_LATENCY, latency_s * 1000)
    if is_head:
        return answer | {"body": "", "isBase64Encoded": False}
    return responding.gzipped(answer, (event.get("headers") or {}).get("accept-encoding"))


def caller(app: APIGatewayHttpResolver, api: ApiSettings) -> Caller:
    """Return the caller of the current request, from the claims that the gateway has checked."""
    authorizer = app.current_event.raw_event["requestContext"].get("authorizer") or {}
    claims = authorizer.get("jwt", {}).get("claims") or {}
    return caller_from_claims(claims, api.user_id_claim, api.service_ids)


@dataclass(frozen=True, slots=True)
class _Access:
    """The access check of a resolver."""

    api: ApiSettings
    audit: Audit | None
    limits: WriteLimits | None
    shared_routes: SharedRoutes | None
    person_only: bool
    is_open: bool

    def check(self, app: APIGatewayHttpResolver, route: Next) -> Response[Any]:
        """Run the route if the caller has access, and audit the request; raise Forbidden or a Problem."""
        if self.is_open or self._admits_reader(app):
            return route(app)
        return guard.authorize_and_audit(
            app,
            route,
            caller=caller(app, self.api),
            audit=self.audit,
            limits=self.limits,
            person_only=self.person_only,
        )

    def refusal(self, app: APIGatewayHttpResolver, error: RequestValidationError) -> Problem | None:
        """Return the response to an invalid request whose caller has no access either."""
        if self.is_open or any(fault["loc"][0] == "path" for fault in error.errors()):
            return None  # With an invalid path: no user can have this id.
        try:
            if not self._admits_reader(app):
                guard.authorize(app, caller(app, self.api), person_only=self.person_only)
        except Problem as problem:
            return problem
        except Forbidden:
            return guard.forbidden(app, person_only=self.person_only)
        return None

    def _admits_reader(self, app: APIGatewayHttpResolver) -> bool:
        """Find the reader of a request to a shared route; False for other routes."""
        app.context.pop(guard.READER, None)
        routes = self.shared_routes
        category = routes.categories.get(app.context["_route"].path) if routes else None
        if routes is None or category is None:
            return False
        shared.admit(app, routes.grants, category)
        return True


def _as_get(event: dict[str, Any]) -> dict[str, Any]:
    http = event["requestContext"]["http"] | {"method": "GET"}
    return event | {"requestContext": event["requestContext"] | {"http": http}}


def _refuse_wrong_names(
    app: APIGatewayHttpResolver, route: Next, open_queries: Collection[str]
) -> Response[Any]:
    # After the guard: a caller without access gets 403 for any query.
    faults = _faults_in_query(app, open_queries)
    if faults:
        raise Problem(problems.INVALID_REQUEST, errors=faults)
    return route(app)


def _faults_in_query(app: APIGatewayHttpResolver, open_queries: Collection[str]) -> list[dict[str, str]]:
    raw_query: str = app.current_event.raw_event.get("rawQueryString") or ""
    if not raw_query:
        return []
    route = app.context["_route"]
    if route.rule.pattern == _ANY_PATH:  # The answer is 404 or 405 for any query.
        return []
    known = [parameter.alias for parameter in route.dependant.query_params]
    return faults_in_names(raw_query, known, others_ignored=route.path in open_queries)


def _reject_trailing_newline(app: APIGatewayHttpResolver, route: Next) -> Response[Any]:
    # The patterns of Powertools end in `$`, which also matches before a newline: "ada\n" would be ada.
    if app.current_event.path.endswith("\n"):
        raise Problem(problems.NOT_FOUND)
    return route(app)


def _json_text(event: dict[str, Any]) -> str:
    """
    Return the body if it is JSON; otherwise a text that Powertools, too, rejects as invalid JSON.

    Powertools takes the first member of a list for the body. So a list becomes the member of another one, and
    is rejected as a body that is not an object.
    """
    body: str = event["body"]
    try:
        text = base64.b64decode(body).decode() if event.get("isBase64Encoded") else body
        if isinstance(json.loads(text), list):
            return f"[{text}]"
    except (ValueError, RecursionError):  # Not UTF-8, not JSON, a number too long, or nested too deeply.
        return "{"
    return text


def _field(location: tuple[Any, ...]) -> str:
    """
    Return the place of a fault as docs/api.md names it, such as `data.start`.

    It ends at the first part that is not a plain name: a caller may have sent anything in its place.
    """
    where, *parts = location
    names = takewhile(_NAME.fullmatch, (str(part) for part in parts))
    return ".".join(PUBLIC_NAMES.get(name, name) for name in names) or str(where)


def _reason(fault: dict[str, Any]) -> str:
    # Pydantic's own message for these names a Python class.
    if fault["type"] in {"model_type", "model_attributes_type"}:
        return "Input should be an object"
    reason: str = fault["msg"]
    return reason.removeprefix("Value error, ")
