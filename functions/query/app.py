"""HTTP: a user's stored readings, and the audit log of their data."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from pydantic import Field

from bg_ingest import problems, telemetry
from bg_ingest.access.audit import Audit
from bg_ingest.access.caller import READ_SCOPE
from bg_ingest.clock import Clock
from bg_ingest.http_api import params, range_response, serving
from bg_ingest.http_api.description import PRIVACY, READINGS, describe, not_modified, response
from bg_ingest.http_api.range_response import AuditEntryJson, ReadingJson
from bg_ingest.http_api.serving import ApiSettings
from bg_ingest.problems import Problem
from bg_ingest.readings.store import ReadingStore
from bg_ingest.wiring.process import Process, process
from bg_ingest.wiring.store_parts import audit, reading_store

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


class LatestReadingJson(ReadingJson):
    """The newest reading and its age."""

    age_seconds: Annotated[int, Field(ge=0, examples=[132])]


LATEST = describe(
    "getLatestReading",
    READINGS,
    "Get the newest reading",
    response(200, "The newest reading", LatestReadingJson, headers=["ETag"]),
    not_modified(),
    scope=READ_SCOPE,
    problems=[problems.NO_READINGS],
    request_headers=["If-None-Match"],
)
RANGE = describe(
    "listReadings",
    READINGS,
    "List the readings of a range that includes its start and excludes its end, page by page",
    response(
        200,
        "One page of readings; the Link header is set if there is a next page",
        ReadingJson,
        is_list=True,
        media_types=range_response.MEDIA_TYPES[1:],
        headers=["ETag", "Link"],
    ),
    not_modified("Link"),
    scope=READ_SCOPE,
    problems=[problems.RANGE_TOO_LONG],
    request_headers=["If-None-Match"],
)
AUDIT = describe(
    "listAudit",
    PRIVACY,
    "List the audit log of a user's data: every write, and every read by another caller; newest first",
    response(
        200,
        "One page of entries; the Link header is set if there is a next page",
        AuditEntryJson,
        is_list=True,
        headers=["Link"],
    ),
    scope=READ_SCOPE,
)


def build(
    reading_store: ReadingStore, audit: Audit, clock: Clock, api: ApiSettings
) -> APIGatewayHttpResolver:
    """Build the routes."""
    app = serving.routes(api, audit)  # Checks access and audits each request before the route runs.

    @app.get("/api/bg/<user_id>/latest", **LATEST)
    def latest(user_id: params.UserId, unit: params.Unit = "mg/dL") -> Response[str]:
        newest = reading_store.latest(user_id)
        if newest is None:
            raise Problem(problems.NO_READINGS)
        body, validated_by = range_response.latest(newest, clock.now(), unit)
        return serving.cacheable_response(app, body, validated_by=validated_by)

    @app.get("/api/bg/<user_id>", **RANGE)
    def readings(  # noqa: PLR0913, PLR0917 - one argument for each parameter of a request.
        user_id: params.UserId,
        from_: params.From = None,
        to: params.To = None,
        limit: params.Limit = 288,
        order: params.Order = "asc",
        unit: params.Unit = "mg/dL",
        cursor: params.Cursor = None,
        as_of: params.AsOf = None,
    ) -> Response[str]:
        now = clock.now()
        then = params.parse_as_of(as_of, now)
        window = params.parse_range(from_, to, then or now)
        page = range_response.read_page(
            reading_store, user_id, window, limit=limit, order=order, cursor=cursor, as_of=then
        )
        accept = app.current_event.headers.get("accept")
        body, content_type = range_response.rendered(page.hours, unit, accept)
        link = serving.next_link(app, api, page.next_query and page.next_query | {"unit": unit})
        return serving.cacheable_response(app, body, content_type, headers=link)

    @app.get("/api/bg/<user_id>/audit", **AUDIT)
    def audit_log(
        user_id: params.UserId, limit: params.EntriesLimit = 50, cursor: params.Cursor = None
    ) -> Response[str]:
        entries = list(islice(audit.newest_first(user_id, params.parse_cursor(cursor)), limit + 1))
        page, has_next = entries[:limit], len(entries) > limit
        next_query = {"limit": str(limit), "cursor": page[-1].entry_id} if has_next else None
        link = serving.next_link(app, api, next_query)
        return serving.json_response([entry.as_json() for entry in page], headers=link)

    return app


def _app(own: Process) -> APIGatewayHttpResolver:
    return build(own.part(reading_store), own.part(audit), own.clock, ApiSettings.of(own.settings))


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one request."""
    return serving.serve(process().part(_app), event, context, process().clock)
