"""HTTP: a user's stored readings, and the audit log of their data."""

from __future__ import annotations

import bg_ingest.telemetry.boot  # noqa: F401 - the first import: it shortens the cold start.

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from pydantic import Field

from bg_ingest import problems, telemetry
from bg_ingest.access.audit import Audit
from bg_ingest.access.caller import READ_SCOPE
from bg_ingest.access.grant import Category
from bg_ingest.access.grants import GrantService
from bg_ingest.clock import Clock
from bg_ingest.http_api import guard, responding, serving, shared
from bg_ingest.http_api.answers import changes_response, range_response
from bg_ingest.http_api.answers.changes_response import ChangeJson
from bg_ingest.http_api.answers.range_response import AuditEntryJson, ReadingJson
from bg_ingest.http_api.description import PRIVACY, READINGS, Instant, describe, not_modified, response
from bg_ingest.http_api.requests import params, parsing
from bg_ingest.http_api.serving import ApiSettings
from bg_ingest.http_api.shared import SharedRoutes
from bg_ingest.problems import Problem
from bg_ingest.readings.changes.change_feed import ChangeFeed
from bg_ingest.readings.store import ReadingStore
from bg_ingest.wiring.access.grant_parts import grant_service
from bg_ingest.wiring.process import Process, process
from bg_ingest.wiring.store_parts import audit, change_feed, reading_store

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


class LatestReadingJson(ReadingJson):
    """The newest reading and its age."""

    age_seconds: Annotated[int, Field(ge=0, examples=[132])]
    next_expected_at: Annotated[
        Instant, Field(description="When a newer reading can be stored at the earliest")
    ]


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
        headers=["BG-Removed", "ETag", "Link"],
    ),
    not_modified("Link"),
    scope=READ_SCOPE,
    problems=[problems.RANGE_TOO_LONG],
    request_headers=["If-None-Match"],
)
CHANGES = describe(
    "listChanges",
    READINGS,
    "List every reading that was stored, revised or removed, in the order of storing, page by page",
    response(
        200,
        "One page of changes; the Link header is always set, and leads to what comes next, also later",
        ChangeJson,
        is_list=True,
        headers=["Link"],
    ),
    scope=READ_SCOPE,
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
SHARED_LATEST = shared.described(LATEST, "getSharedLatestReading")
SHARED_RANGE = shared.described(RANGE, "listSharedReadings")
SHARED_CHANGES = shared.described(CHANGES, "listSharedChanges")
OPEN_TO_READERS = {
    "/api/shared": Category.READINGS,
    "/api/shared/latest": Category.READINGS,
    "/api/shared/changes": Category.READINGS,
}


def build(
    reading_store: ReadingStore,
    feed: ChangeFeed,
    audit: Audit,
    grants: GrantService,
    clock: Clock,
    api: ApiSettings,
) -> APIGatewayHttpResolver:
    """Build the routes."""
    # Checks access and audits each request before the route runs.
    app = serving.routes(api, audit, shared_routes=SharedRoutes(grants, OPEN_TO_READERS))
    _add_reading_routes(app, reading_store, clock, api)
    _add_feed_routes(app, feed, audit, api)
    return app


def _add_reading_routes(
    app: APIGatewayHttpResolver, reading_store: ReadingStore, clock: Clock, api: ApiSettings
) -> None:

    @app.get("/api/bg/<user_id>/latest", **LATEST)
    def latest(user_id: params.UserId, unit: params.Unit = "mg/dL") -> Response[str]:
        newest = guard.visible(app, reading_store).latest(user_id)
        if newest is None:
            raise Problem(problems.NO_READINGS)
        body, validated_by = range_response.latest(newest, clock.now(), unit)
        return responding.cacheable_response(app, body, validated_by=validated_by)

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
        then = parsing.parse_as_of(as_of, now)
        window = parsing.parse_range(from_, to, then or now)
        visible = guard.visible(app, reading_store)
        page = range_response.read_page(
            visible, user_id, window, limit=limit, order=order, cursor=cursor, as_of=then
        )
        accept = app.current_event.headers.get("accept")
        body, content_type = range_response.rendered(page.hours, unit, accept)
        headers = responding.next_link(app, api, page.next_query and page.next_query | {"unit": unit})
        headers |= range_response.removed_header(visible, user_id, window, then)
        return responding.cacheable_response(app, body, content_type, headers=headers)

    app.get("/api/shared/latest", **SHARED_LATEST)(shared.of_reader(app, latest))
    app.get("/api/shared", **SHARED_RANGE)(shared.of_reader(app, readings))


def _add_feed_routes(app: APIGatewayHttpResolver, feed: ChangeFeed, audit: Audit, api: ApiSettings) -> None:
    @app.get("/api/bg/<user_id>/changes", **CHANGES)
    def changes(
        user_id: params.UserId,
        since: params.Since = None,
        limit: params.ChangesLimit = 1000,
        cursor: params.ChangesCursor = None,
    ) -> Response[str]:
        after = changes_response.parse_start(user_id, since, cursor, feed.clock.now())
        own_feed = replace(feed, reading_store=guard.visible(app, feed.reading_store))
        found, following = own_feed.read(user_id, after, limit)
        link = responding.next_link(app, api, changes_response.next_query(user_id, following, limit))
        return responding.json_response(changes_response.as_array(found), headers=link)

    app.get("/api/shared/changes", **SHARED_CHANGES)(shared.of_reader(app, changes))

    @app.get("/api/bg/<user_id>/audit", **AUDIT)
    def audit_log(
        user_id: params.UserId, limit: params.EntriesLimit = 50, cursor: params.ItemCursor = None
    ) -> Response[str]:
        entries = list(islice(audit.newest_first(user_id, parsing.parse_cursor(cursor)), limit + 1))
        page, has_next = entries[:limit], len(entries) > limit
        next_query = {"limit": str(limit), "cursor": page[-1].entry_id} if has_next else None
        link = responding.next_link(app, api, next_query)
        return responding.json_response([entry.as_json() for entry in page], headers=link)


def _app(own: Process) -> APIGatewayHttpResolver:
    api = ApiSettings.of(own.settings)
    return build(
        own.part(reading_store),
        own.part(change_feed),
        own.part(audit),
        own.part(grant_service),
        own.clock,
        api,
    )


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one request."""
    return serving.serve(process().part(_app), event, context, process().clock)
