"""HTTP: statistics and the glucose profile of a user's stored readings."""

from __future__ import annotations

import bg_ingest.telemetry.boot  # noqa: F401 - the first import: it shortens the cold start.

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from bg_ingest import problems, telemetry
from bg_ingest.access.audit import Audit
from bg_ingest.access.caller import READ_SCOPE
from bg_ingest.access.grant import Category
from bg_ingest.access.grants import GrantService
from bg_ingest.clock import Clock
from bg_ingest.http_api import guard, responding, serving, shared
from bg_ingest.http_api.answers import insight_response
from bg_ingest.http_api.answers.insight_response import ProfileJson, StatisticsJson
from bg_ingest.http_api.description import STATISTICS, describe, not_modified, response
from bg_ingest.http_api.requests import params, parsing
from bg_ingest.http_api.serving import ApiSettings
from bg_ingest.http_api.shared import SharedRoutes
from bg_ingest.readings.store import ReadingStore
from bg_ingest.wiring.access.grant_parts import grant_service
from bg_ingest.wiring.process import Process, process
from bg_ingest.wiring.store_parts import audit, reading_store

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


FIGURES = describe(
    "getStatistics",
    STATISTICS,
    "Get the statistics of some local days, and of the period before",
    response(200, "The figures, not rounded", StatisticsJson, headers=["ETag"]),
    not_modified(),
    scope=READ_SCOPE,
    problems=[problems.RANGE_TOO_LONG],
    request_headers=["If-None-Match"],
)
PROFILE = describe(
    "getProfile",
    STATISTICS,
    "Get the glucose profile of some local days: percentiles by the local time of day",
    response(200, "The profile, raw and smoothed", ProfileJson, headers=["ETag"]),
    not_modified(),
    scope=READ_SCOPE,
    problems=[problems.RANGE_TOO_LONG],
    request_headers=["If-None-Match"],
)
SHARED_FIGURES = shared.described(FIGURES, "getSharedStatistics")
SHARED_PROFILE = shared.described(PROFILE, "getSharedProfile")
OPEN_TO_READERS = {
    "/api/shared/statistics": Category.STATISTICS,
    "/api/shared/profile": Category.STATISTICS,
}


def build(
    reading_store: ReadingStore, audit: Audit, grants: GrantService, clock: Clock, api: ApiSettings
) -> APIGatewayHttpResolver:
    """Build the routes."""
    # Checks access and audits each request before the route runs.
    app = serving.routes(api, audit, shared_routes=SharedRoutes(grants, OPEN_TO_READERS))

    @app.get("/api/bg/<user_id>/statistics", **FIGURES)
    def statistics(
        user_id: params.UserId,
        from_: params.FirstLocalDay = None,
        to: params.LastLocalDay = None,
        compare: params.Compare = None,
        as_of: params.AsOf = None,
    ) -> Response[str]:
        now, compared = clock.now(), compare is not None
        then = parsing.parse_as_of(as_of, now)
        visible = guard.visible(app, reading_store)
        days = insight_response.read_days(
            visible, user_id, (from_, to), then or now, as_of=then, with_period_before=compared
        )
        body, validated_by = insight_response.statistics_texts(days, then or now, compared=compared)
        return responding.cacheable_response(app, body, validated_by=validated_by)

    @app.get("/api/bg/<user_id>/profile", **PROFILE)
    def profile(
        user_id: params.UserId,
        from_: params.FirstLocalDay = None,
        to: params.LastLocalDay = None,
        bin_minutes: params.BinMinutes = 60,
        as_of: params.AsOf = None,
    ) -> Response[str]:
        now = clock.now()
        then = parsing.parse_as_of(as_of, now)
        visible = guard.visible(app, reading_store)
        days = insight_response.read_days(visible, user_id, (from_, to), then or now, as_of=then)
        body, validated_by = insight_response.profile_texts(days, then or now, bin_minutes)
        return responding.cacheable_response(app, body, validated_by=validated_by)

    app.get("/api/shared/statistics", **SHARED_FIGURES)(shared.of_reader(app, statistics))
    app.get("/api/shared/profile", **SHARED_PROFILE)(shared.of_reader(app, profile))
    return app


def _app(own: Process) -> APIGatewayHttpResolver:
    api = ApiSettings.of(own.settings)
    return build(own.part(reading_store), own.part(audit), own.part(grant_service), own.clock, api)


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one request."""
    return serving.serve(process().part(_app), event, context, process().clock)
