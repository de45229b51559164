"""
Where every request about a user passes: who may is let through, and what they do is recorded.

It stands in front of the handlers, so a handler can neither forget the question nor the record. A route is
about a user when its path names one. GET reads, everything else writes.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from bg_ingest import telemetry
from bg_ingest.access.audit import AuditOutcome
from bg_ingest.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

    from bg_ingest.access.audit import Audit, AuditEntry
    from bg_ingest.access.caller import Caller

    Next = Callable[[APIGatewayHttpResolver], Response[Any]]


def authorize_and_audit(
    app: APIGatewayHttpResolver, go_on: Next, *, caller: Caller, audit: Audit | None
) -> Response[Any]:
    """Answer a request if its caller may make it; Forbidden if not, before anything was looked at."""
    authorize(app, caller)
    user_id: str | None = app.context["_route_args"].get("user_id")
    event = app.current_event.raw_event
    reads = _reads(event)
    if user_id is None or audit is None or (reads and caller.user_id == user_id):
        return go_on(app)
    entry = audit.entry(
        user_id,
        actor=caller.actor,
        action=event["routeKey"],
        correlation_id=telemetry.correlation_id(),
    )
    return _audited(lambda: go_on(app), audit, entry, before=not reads)


def authorize(app: APIGatewayHttpResolver, caller: Caller) -> None:
    """Forbidden if this caller may not make this request."""
    user_id: str | None = app.context["_route_args"].get("user_id")
    if user_id is None:
        return
    if _reads(app.current_event.raw_event):
        caller.must_read(user_id)
    else:
        caller.must_write(user_id)


def _reads(event: dict[str, Any]) -> bool:
    method: str = event["requestContext"]["http"]["method"]
    return method == "GET"


def _audited(
    answer: Callable[[], Response[Any]], audit: Audit, entry: AuditEntry, *, before: bool
) -> Response[Any]:
    if before:
        audit.keep(entry)
    outcome = AuditOutcome.FAILED
    try:
        response = answer()
    except Problem as problem:
        outcome = _outcome(problem.kind.status)
        raise
    else:
        outcome = _outcome(response.status_code)
        return response
    finally:
        if not before:
            audit.keep(entry, outcome)
        elif not audit.complete(entry, outcome):
            telemetry.log("audit entry stays open", level=logging.ERROR, outcome=outcome)


def _outcome(status: int) -> AuditOutcome:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return AuditOutcome.FAILED
    return AuditOutcome.REFUSED if status >= HTTPStatus.BAD_REQUEST else AuditOutcome.DONE
