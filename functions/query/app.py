"""HTTP: a user's stored readings, and who else looked at them."""

from __future__ import annotations

from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from bg_ingest import problems, telemetry
from bg_ingest.access.audit import entry_as_json
from bg_ingest.http_api import links, params, range_response, serving
from bg_ingest.problems import Problem
from bg_ingest.wiring import stores

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from bg_ingest.access.audit import Audit
    from bg_ingest.clock import Clock
    from bg_ingest.readings.store import ReadingStore


def build(reading_store: ReadingStore, audit: Audit, clock: Clock) -> APIGatewayHttpResolver:
    """The routes, over the stored readings and who looked at them."""
    app = serving.routes(audit)

    @app.get("/api/bg/<user_id>/latest")
    def latest(user_id: params.UserId, unit: params.Unit = "mg/dL") -> Response[str]:
        newest = reading_store.latest(user_id)
        if newest is None:
            raise Problem(problems.NO_READINGS)
        body, validated_by = range_response.latest(newest, clock.now(), unit)
        return serving.cacheable_response(app, body, validated_by=validated_by)

    @app.get("/api/bg/<user_id>")
    def of_range(
        user_id: params.UserId,
        from_: params.From = None,
        to: params.To = None,
        limit: params.Limit = 288,
        order: params.Order = "asc",
        unit: params.Unit = "mg/dL",
        cursor: params.Cursor = None,
    ) -> Response[str]:
        asked = params.parse_range(from_, to, clock.now())
        page = range_response.read_page(
            reading_store, user_id, asked, limit=limit, order=order, cursor=cursor
        )
        body, content_type = range_response.rendered(
            page.hours, unit, app.current_event.headers.get("accept")
        )
        event = app.current_event.raw_event
        more = links.next_link(event, page.rest | {"unit": unit}) if page.rest else {}
        return serving.cacheable_response(app, body, content_type, headers=more)

    @app.get("/api/bg/<user_id>/audit")
    def trail(
        user_id: params.UserId, limit: params.EntriesLimit = 50, cursor: params.Cursor = None
    ) -> Response[str]:
        found = list(islice(audit.newest_first(user_id, params.entry_cursor(cursor)), limit + 1))
        query = {"limit": str(limit), "cursor": found[limit - 1].entry_id} if found[limit:] else None
        link = links.next_link(app.current_event.raw_event, query) if query else {}
        return serving.json_response([entry_as_json(entry) for entry in found[:limit]], headers=link)

    return app


@cache
def _app() -> APIGatewayHttpResolver:
    return build(stores.reading_store(), stores.audit(), stores.clock())


@telemetry.entry_point
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    return serving.serve(_app(), event, context)
