"""
Access check and audit of every request about a user.

The resolver of `serving.routes` runs this before the handler of a route, so no handler can leave it out.
A request is about a user if the path of its route has a user id. GET reads; every other method writes.

- If the caller may not read (or write) the data of this user, then raise Forbidden. Nothing was read so far.
- If the request writes, then store the audit entry first and complete it after the handler has run.
- If the request reads and the caller is another person or a service, then store the entry after the handler.
- If a person reads their own data, then store no entry.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from bg_ingest import problems, telemetry
from bg_ingest.access.audit import AuditOutcome
from bg_ingest.access.caller import READ_SCOPE, WRITE_SCOPE
from bg_ingest.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

    from bg_ingest.access.audit import Audit, AuditEntry
    from bg_ingest.access.caller import Caller

    Next = Callable[[APIGatewayHttpResolver], Response[Any]]


def authorize_and_audit(
    app: APIGatewayHttpResolver, route: Next, *, caller: Caller, audit: Audit | None
) -> Response[Any]:
    """Check access, run the route, and record the request in the audit log if there is one."""
    authorize(app, caller)
    user_id = _user_id(app)
    reads = _reads(app)
    if user_id is None or audit is None or (reads and caller.user_id == user_id):
        return route(app)
    entry = audit.new_entry(
        user_id,
        actor=caller.actor,
        action=app.current_event.raw_event["routeKey"],
        correlation_id=telemetry.correlation_id(),
    )
    return _audited(lambda: route(app), audit, entry, before=not reads)


def authorize(app: APIGatewayHttpResolver, caller: Caller) -> None:
    """Raise Forbidden unless this caller may make this request."""
    user_id = _user_id(app)
    if user_id is None:
        return
    if _reads(app):
        caller.must_read(user_id)
    else:
        caller.must_write(user_id)


def forbidden(app: APIGatewayHttpResolver) -> Problem:
    """Return the 403 that names the missing scope; it is the same whether the user exists or not."""
    scope = READ_SCOPE if _reads(app) else WRITE_SCOPE
    detail = f"This token belongs to another user and lacks the scope `{scope}`."
    return Problem(problems.FORBIDDEN, detail)


def _user_id(app: APIGatewayHttpResolver) -> str | None:
    user_id: str | None = app.context["_route_args"].get("user_id")
    return user_id


def _reads(app: APIGatewayHttpResolver) -> bool:
    method: str = app.current_event.raw_event["requestContext"]["http"]["method"]
    return method == "GET"


def _audited(
    respond: Callable[[], Response[Any]], audit: Audit, entry: AuditEntry, *, before: bool
) -> Response[Any]:
    if before:
        audit.save(entry)
    outcome = AuditOutcome.FAILED
    try:
        response = respond()
    except Problem as problem:
        outcome = _outcome(problem.kind.status)
        raise
    else:
        outcome = _outcome(response.status_code)
        return response
    finally:
        if not before:
            audit.save(entry, outcome)
        elif not audit.complete(entry, outcome):
            telemetry.log("audit entry stays open", level=logging.ERROR, outcome=outcome)


def _outcome(status: int) -> AuditOutcome:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return AuditOutcome.FAILED
    return AuditOutcome.REFUSED if status >= HTTPStatus.BAD_REQUEST else AuditOutcome.DONE
