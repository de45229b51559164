"""
What every HTTP function has in common: who is asking, problems, correlation ids and caching.

A function builds its routes on `routes()`; what its routes raise becomes a problem document here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
from http import HTTPStatus
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from bg_ingest import problems, telemetry
from bg_ingest.access.caller import Caller, Forbidden, caller_from_claims
from bg_ingest.clock import SystemClock
from bg_ingest.http_api import aws_errors, guard
from bg_ingest.problems import Problem
from bg_ingest.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from bg_ingest.access.audit import Audit
    from bg_ingest.http_api.guard import Next

_CLOCK = SystemClock()
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
NO_STORE = {"Cache-Control": "no-store"}
# A page of ours needs nothing but its own style, and must not be framed into somebody else's.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
PUBLIC_NAMES = {"user_id": "userId", "job_id": "jobId"}  # Python's names of the template's path parameters.


def routes(audit: Audit | None = None, *, own_proof: bool = False) -> APIGatewayHttpResolver:
    """
    A resolver whose every error is a problem document, and whose every route about a user is guarded.

    `own_proof` is for routes that are called without a token and check their caller themselves.
    """
    app = APIGatewayHttpResolver(enable_validation=True)
    app.use([_reject_trailing_newline])
    if not own_proof:
        app.use([lambda app, go_on: guard.authorize_and_audit(app, go_on, caller=caller(app), audit=audit)])

    @app.exception_handler(Problem)
    def _problem(problem: Problem) -> Response[str]:
        return problem_response(problem)

    @app.exception_handler(Forbidden)
    def _forbidden(_: Forbidden) -> Response[str]:
        return problem_response(Problem(problems.FORBIDDEN))

    @app.exception_handler(RequestValidationError)
    def _invalid(error: RequestValidationError) -> Response[str]:
        # Powertools looks at a request before the guard does; a stranger learns only that they are one.
        if not own_proof and _is_forbidden(app, error):
            return problem_response(Problem(problems.FORBIDDEN))
        # Where and why, never what: the value could be anybody's data.
        faults = [{"field": _field(fault["loc"]), "reason": _reason(fault)} for fault in error.errors()]
        return problem_response(Problem(problems.INVALID_REQUEST, errors=faults))

    @app.exception_handler(NotFoundError)
    def _not_found(_: NotFoundError) -> Response[str]:
        return problem_response(Problem(problems.NOT_FOUND))

    @app.exception_handler(Exception)
    def _unexpected(error: Exception) -> Response[str]:
        telemetry.log("request failed", level=logging.ERROR, raised=error)
        return problem_response(aws_errors.problem_of(error))

    return app


def serve(
    app: APIGatewayHttpResolver, event: dict[str, Any], context: LambdaContext, *, raw_body: bool = False
) -> dict[str, Any]:
    """
    Answer one request; the correlation id goes into every line and into the answer.

    `raw_body` is for an app that reads the body itself, byte for byte.
    """
    request = event["requestContext"]
    candidates = telemetry.header_ids(event.get("headers") or {}, request["requestId"])
    correlation_id = telemetry.adopt_correlation_id(*candidates)
    # Every body is JSON here, whatever it is labelled: curl's -d says it is a form.
    as_json = event | {"headers": {**(event.get("headers") or {}), "content-type": "application/json"}}
    if event.get("body") and not raw_body:
        as_json |= {"body": _json_text(event), "isBase64Encoded": False}
    started_s = _CLOCK.monotonic_s()
    answer: dict[str, Any] = app.resolve(as_json, context)
    latency_s = _CLOCK.monotonic_s() - started_s
    answer.setdefault("headers", {})["X-Correlation-ID"] = correlation_id
    # The route's pattern, never the path: that holds a user id.
    telemetry.log(
        "request answered",
        route=event.get("routeKey"),
        status=answer["statusCode"],
        latency_ms=round(latency_s * 1000, 1),
    )
    telemetry.measure_request(answer["statusCode"], latency_s)
    return answer


def _is_forbidden(app: APIGatewayHttpResolver, error: RequestValidationError) -> bool:
    """Whether a request that is not valid is one, too, that its caller may not make."""
    if any(fault["loc"][0] == "path" for fault in error.errors()):
        return False  # An id that can be nobody's.
    try:
        guard.authorize(app, caller(app))
    except Forbidden:
        return True
    return False


def _reject_trailing_newline(app: APIGatewayHttpResolver, go_on: Next) -> Response[Any]:
    # Powertools' patterns end in `$`, which overlooks a line break: "ada\n" would be ada.
    if app.current_event.path.endswith("\n"):
        raise Problem(problems.NOT_FOUND)
    return go_on(app)


def _json_text(event: dict[str, Any]) -> str:
    """The body, if JSON can be read from it; otherwise what Powertools, too, sees is none."""
    body: str = event["body"]
    try:
        text = base64.b64decode(body).decode() if event.get("isBase64Encoded") else body
        json.loads(text)
    except (ValueError, RecursionError):  # Not text, no JSON, a number without end, nested without end.
        return "{"
    return text


def caller(app: APIGatewayHttpResolver) -> Caller:
    """Who sent the request being answered."""
    authorizer = app.current_event.raw_event["requestContext"].get("authorizer") or {}
    claims = authorizer.get("jwt", {}).get("claims") or {}
    return caller_from_claims(claims, settings().user_id_claim)


def json_response(
    body: Any, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response[str]:
    """A JSON answer that nobody may keep."""
    every = {**NO_STORE, **(headers or {})}
    return Response(
        status, content_type="application/json", body=json.dumps(body, separators=(",", ":")), headers=every
    )


def cacheable_response(
    app: APIGatewayHttpResolver,
    body: str,
    content_type: str = "application/json",
    *,
    validated_by: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[str]:
    """
    An answer with a validator: 304 when the caller has it already.

    `validated_by` stands for the body where the body changes with every second. `private, no-cache` lets the
    person's own browser keep it and makes it ask every time: glucose that looks current and is not must
    never come from a cache.
    """
    digest = hashlib.sha256(f"{content_type}\n{validated_by or body}".encode()).hexdigest()[:32]
    every = {"Cache-Control": "private, no-cache", "ETag": f'"{digest}"', "Vary": "Accept", **(headers or {})}
    if _matches(app.current_event.headers.get("if-none-match"), digest):
        return Response(HTTPStatus.NOT_MODIFIED, body="", headers=every)
    return Response(HTTPStatus.OK, content_type=content_type, body=body, headers=every)


def _matches(if_none_match: str | None, digest: str) -> bool:
    """RFC 9110, 13.1.2: any of a list, weak or strong, or `*`."""
    wanted = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return "*" in wanted or f'"{digest}"' in wanted


def problem_response(problem: Problem) -> Response[str]:
    """A problem as an answer; routes raise it instead."""
    return Response(
        problem.kind.status,
        content_type=problems.CONTENT_TYPE,
        body=problem.document(telemetry.correlation_id()),
        headers={**NO_STORE, **problem.headers},
    )


def _reason(fault: dict[str, Any]) -> str:
    # Pydantic's own words for these are Python's, and name a class of ours.
    if fault["type"] in {"model_type", "model_attributes_type"}:
        return "Input should be an object"
    reason: str = fault["msg"]
    return reason.removeprefix("Value error, ")


def _field(location: tuple[Any, ...]) -> str:
    """
    Where in the request a fault is, in the words of docs/api.md.

    Only as far as the parts are names: what a caller sent in the place of a name may be anything.
    """
    where, *parts = location
    names = takewhile(_NAME.fullmatch, (str(part) for part in parts))
    return ".".join(PUBLIC_NAMES.get(name, name) for name in names) or str(where)
