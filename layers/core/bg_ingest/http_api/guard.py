"""
Access check and audit of every request about a user, and what of the readings its caller may see.

The resolver of `serving.routes` runs this before the handler of a route, so no handler can leave it out.
A request is about a user if the path of its route has a user id. GET reads; every other method writes.
The routes of ABOUT_ALL_USERS are about every user. Those of EXPORT_PATHS need the right to read only.

- If a request is about every user and the caller lacks the scope to read them all, then raise Forbidden.
- If the caller may not read (or write) the data of this user, then raise Forbidden. Nothing was read so far.
- If the request writes, then count it for its caller. Above the limit it is refused with 429 before anything
  else is read or written, and the audit has one entry for all refusals of a minute.
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
from bg_ingest.http_api.responding import headers_or_429
from bg_ingest.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

    from bg_ingest.access.audit import Audit, AuditEntry
    from bg_ingest.access.caller import Caller
    from bg_ingest.access.caller_limits import WriteLimits
    from bg_ingest.access.grant import Reader
    from bg_ingest.readings.store import ReadingStore

    Next = Callable[[APIGatewayHttpResolver], Response[Any]]


READER = "reader"  # A member of the resolver's context: the reader of a shared route (`shared.admit`).
# Paths of routes without a user id that need a service's scope.
ABOUT_ALL_USERS = frozenset({"/api/bg", "/api/status", "/api/exports", "/api/exports/<export_id>"})
# An export is a copy of what its caller may read. So the right to read suffices for every method.
EXPORT_PATHS = frozenset(
    {
        "/api/bg/<user_id>/exports",
        "/api/bg/<user_id>/exports/<export_id>",
        "/api/exports",
        "/api/exports/<export_id>",
    }
)


def authorize_and_audit(
    app: APIGatewayHttpResolver,
    route: Next,
    *,
    caller: Caller,
    audit: Audit | None,
    limits: WriteLimits | None = None,
    person_only: bool = False,
) -> Response[Any]:
    """Check access, count a write, run the route, and record the request in the audit log if there is one."""
    authorize(app, caller, person_only=person_only)
    if _reads(app) or limits is None:
        return _recorded(app, route, caller, audit)
    headers = _count(app, caller, audit, limits)
    response = _recorded(app, route, caller, audit)
    if response.status_code < HTTPStatus.BAD_REQUEST:
        response.headers.update(headers)
    return response


def _count(
    app: APIGatewayHttpResolver, caller: Caller, audit: Audit | None, limits: WriteLimits
) -> dict[str, str]:
    action: str = app.current_event.raw_event["routeKey"]
    limit, user_id = limits.of(action), _user_id(app)
    status = limit.take(caller.actor)
    if not status.accepted and audit is not None and user_id is not None:
        own_id = telemetry.correlation_id()
        audit.refused_by_limit(user_id, actor=caller.actor, action=action, correlation_id=own_id)
    return headers_or_429(limit.policy, status)


def _recorded(app: APIGatewayHttpResolver, route: Next, caller: Caller, audit: Audit | None) -> Response[Any]:
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


def authorize(app: APIGatewayHttpResolver, caller: Caller, *, person_only: bool = False) -> None:
    """Raise Forbidden unless this caller may make this request."""
    user_id = _user_id(app)
    if user_id is None:
        if _is_about_all_users(app):
            caller.must_read_everyone()
    elif person_only:
        caller.must_be(user_id)
    elif _needs_reading_only(app):
        caller.must_read(user_id)
    else:
        caller.must_write(user_id)


def visible(app: APIGatewayHttpResolver, reading_store: ReadingStore) -> ReadingStore:
    """Return the readings that the caller of this request may see; a reader sees the grant's days."""
    reader: Reader | None = app.context.get(READER)
    return reader.visible(reading_store, reading_store.clock.now()) if reader else reading_store


def visible_days(
    app: APIGatewayHttpResolver, reading_store: ReadingStore, first: date, last: date
) -> tuple[date, date] | None:
    """Return the days of a range that the caller of this request may see; None if there are none."""
    days = visible(app, reading_store).days
    return days.narrowed(first, last) if days else (first, last)


def forbidden(app: APIGatewayHttpResolver, *, person_only: bool = False) -> Problem:
    """Return the 403 that names the missing scope; it is the same whether the user exists or not."""
    if person_only:
        return Problem(problems.FORBIDDEN, "Only the user's own token gives access to this.")
    if _is_about_all_users(app):
        return Problem(problems.FORBIDDEN, f"This token lacks the scope `{READ_SCOPE}`.")
    scope = READ_SCOPE if _needs_reading_only(app) else WRITE_SCOPE
    detail = f"This token belongs to another user and lacks the scope `{scope}`."
    return Problem(problems.FORBIDDEN, detail)


def _user_id(app: APIGatewayHttpResolver) -> str | None:
    user_id: str | None = app.context["_route_args"].get("user_id")
    return user_id


def _is_about_all_users(app: APIGatewayHttpResolver) -> bool:
    return app.context["_route"].path in ABOUT_ALL_USERS


def _needs_reading_only(app: APIGatewayHttpResolver) -> bool:
    return _reads(app) or app.context["_route"].path in EXPORT_PATHS


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
