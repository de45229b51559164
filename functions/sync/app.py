"""HTTP: start a sync; see where a user's syncing stands, and its jobs; settings and completeness."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from bg_ingest.sync.sync_json import job_as_json, state_as_json

from bg_ingest import telemetry
from bg_ingest.http_api import links, params, rate_headers, serving, sync_responses
from bg_ingest.http_api.job_routes import add_job_routes
from bg_ingest.http_api.sync_admin_routes import add_sync_admin_routes
from bg_ingest.wiring import limits, stores, syncing

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from bg_ingest.wiring.syncing import Engine

    from bg_ingest.access.audit import Audit
    from bg_ingest.access.caller_limits import CallerLimit


def build(engine: Engine, audit: Audit, starts: CallerLimit) -> APIGatewayHttpResolver:
    """The routes, over an engine; `starts` limits how often one caller may start a sync."""
    app = serving.routes(audit)

    @app.post("/api/bg/<user_id>/sync")
    def start(
        user_id: params.UserId, asked: params.SyncBody = None, prefer: params.Prefer = None
    ) -> Response[str]:
        standing = rate_headers.count_call(starts, serving.caller(app))
        order = engine.order(
            user_id, params.parse_window(asked, engine.clock.now()), telemetry.correlation_id()
        )
        if sync_responses.wants_to_wait(prefer):
            report = engine.run_or_queue(
                order, lambda: app.lambda_context.get_remaining_time_in_millis() / 1000
            )
            if not report.unfinished:
                return serving.json_response(sync_responses.job_or_problem(report), headers=standing)
        else:
            sync_responses.require_connection(engine.connection_state(user_id))
            engine.queue(order)
        where = links.address(app.current_event.raw_event, f"/api/bg/{user_id}/sync/jobs/{order.job_id}")
        job = engine.trail.get(user_id, order.job_id)
        return serving.json_response(
            job and job_as_json(job), HTTPStatus.ACCEPTED, standing | {"Location": where}
        )

    @app.get("/api/bg/<user_id>/sync")
    def state(user_id: params.UserId) -> Response[str]:
        known = engine.states.get(user_id)
        connection = engine.connection_state(user_id)
        return serving.json_response(
            state_as_json(known, connection, engine.poll_interval_s, engine.clock.now())
        )

    add_sync_admin_routes(app, engine)
    add_job_routes(app, engine)
    return app


@cache
def _app() -> APIGatewayHttpResolver:
    return build(syncing.engine(), stores.audit(), limits.sync())


@telemetry.entry_point
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    return serving.serve(_app(), event, context)
