"""HTTP: start a sync or a reconciliation, show the state and jobs of a user's syncing, set its interval."""

from __future__ import annotations

from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from bg_ingest import problems, telemetry
from bg_ingest.access.audit import Audit
from bg_ingest.access.caller import READ_SCOPE, WRITE_SCOPE
from bg_ingest.access.caller_limits import CallerLimit
from bg_ingest.http_api import params, serving, sync_responses
from bg_ingest.http_api.description import RATE_HEADERS, SYNCING, describe, response
from bg_ingest.http_api.serving import ApiSettings
from bg_ingest.http_api.sync_json import (
    CompletenessJson,
    JobJson,
    SettingsJson,
    SyncStateJson,
    days_as_json,
    job_as_json,
    state_as_json,
)
from bg_ingest.problems import Problem
from bg_ingest.sync.job import Job, JobKind
from bg_ingest.sync.service import SyncService
from bg_ingest.wiring.process import Process, process
from bg_ingest.wiring.store_parts import audit
from bg_ingest.wiring.sync_parts import sync_limit, sync_service

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


START = describe(
    "startSync",
    SYNCING,
    "Fetch from the provider now: the range in the body, or what a poll would fetch",
    response(200, "The job has ended", JobJson, headers=RATE_HEADERS),
    response(
        202,
        "The job is queued or running; Location is its URL. It may be the job of an earlier request, with "
        "Retry-After if the provider is unavailable",
        JobJson,
        headers=["Location", "Retry-After", *RATE_HEADERS],
    ),
    scope=WRITE_SCOPE,
    problems=[
        problems.RANGE_TOO_LONG,
        problems.SYNC_RUNNING,
        problems.NOT_CONNECTED,
        problems.REAUTHORIZATION_NEEDED,
        problems.PROVIDER_UNAVAILABLE,
        problems.TOO_MANY_REQUESTS,
    ],
)
STATE = describe(
    "getSyncState",
    SYNCING,
    "Get the state of a user's syncing",
    response(200, "The state", SyncStateJson),
    scope=READ_SCOPE,
)
JOBS = describe(
    "listJobs",
    SYNCING,
    "List the jobs of the last thirty days, newest first, page by page",
    response(
        200,
        "One page of jobs; the Link header is set if there is a next page",
        JobJson,
        is_list=True,
        headers=["Link"],
    ),
    scope=READ_SCOPE,
)
JOB = describe("getJob", SYNCING, "Get one job", response(200, "The job", JobJson), scope=READ_SCOPE)
RECONCILE = describe(
    "reconcile",
    SYNCING,
    "Compare the last days with the provider and fetch the readings that are missing",
    response(202, "The job is queued; Location is its URL", JobJson, headers=["Location"]),
    scope=WRITE_SCOPE,
    problems=[problems.NOT_CONNECTED, problems.REAUTHORIZATION_NEEDED],
)
COMPLETENESS = describe(
    "getCompleteness",
    SYNCING,
    "Get the completeness of each day, as the last reconciliation found it",
    response(200, "The days", CompletenessJson),
    scope=READ_SCOPE,
    problems=[problems.RANGE_TOO_LONG],
)
SETTINGS = describe(
    "changeSettings",
    SYNCING,
    "Set the polling interval of a user; it takes effect at once",
    response(200, "The new settings", SettingsJson),
    scope=WRITE_SCOPE,
    problems=[problems.NOT_CONNECTED],
)


def build(
    service: SyncService, audit: Audit, sync_limit: CallerLimit, api: ApiSettings
) -> APIGatewayHttpResolver:
    """Build the routes; `sync_limit` limits how often one caller may start a sync."""
    app = serving.routes(api, audit)  # Checks access and audits each request before the route runs.
    _add_sync_routes(app, service, sync_limit, api)
    _add_job_routes(app, service, api)
    _add_admin_routes(app, service, api)
    return app


def _add_sync_routes(
    app: APIGatewayHttpResolver, service: SyncService, sync_limit: CallerLimit, api: ApiSettings
) -> None:
    @app.post("/api/bg/<user_id>/sync", **START)
    def start(
        user_id: params.UserId, body: params.SyncBody = None, prefer: params.Prefer = None
    ) -> Response[str]:
        headers = serving.count_call(sync_limit, serving.caller(app, api))
        window = params.parse_window(body, service.clock.now())
        # During an outage one job waits, however often a caller asks.
        waiting = service.waiting_order(user_id, window)
        order = waiting or service.new_order(user_id, telemetry.correlation_id(), window=window)
        if sync_responses.wants_to_wait(prefer):
            own_id = telemetry.correlation_id()
            result = service.run_or_enqueue(
                order,
                lambda: app.lambda_context.get_remaining_time_in_millis() / 1000,
                is_queued=waiting is not None,
            )
            telemetry.adopt_correlation_id(own_id)  # The order may be one of an earlier request.
            if waiting and result.retry_in_s is not None and not result.busy:
                headers |= sync_responses.retry_after(result.retry_in_s)
            elif result.rest is None:
                return serving.json_response(sync_responses.job_or_problem(result), headers=headers)
        else:
            sync_responses.require_connection(service.connection_state(user_id))
            if waiting is None:
                service.enqueue(order)
        return _accepted(app, api, service.history.get(user_id, order.job_id), user_id, order.job_id, headers)

    @app.get("/api/bg/<user_id>/sync", **STATE)
    def state(user_id: params.UserId) -> Response[str]:
        sync_state = service.stores.states.get(user_id)
        connection = service.connection_state(user_id)
        return serving.json_response(
            state_as_json(sync_state, connection, service.poll_interval_s, service.clock.now())
        )


def _add_job_routes(app: APIGatewayHttpResolver, service: SyncService, api: ApiSettings) -> None:
    @app.get("/api/bg/<user_id>/sync/jobs", **JOBS)
    def jobs(
        user_id: params.UserId, limit: params.JobsLimit = 50, cursor: params.Cursor = None
    ) -> Response[str]:
        found = list(islice(service.history.newest_first(user_id, params.parse_cursor(cursor)), limit + 1))
        page, has_next = found[:limit], len(found) > limit
        next_query = {"limit": str(limit), "cursor": page[-1].order.job_id} if has_next else None
        link = serving.next_link(app, api, next_query)
        return serving.json_response([job_as_json(job) for job in page], headers=link)

    @app.get("/api/bg/<user_id>/sync/jobs/<job_id>", **JOB)
    def job(user_id: params.UserId, job_id: params.JobId) -> Response[str]:
        found = service.history.get(user_id, job_id)
        if found is None:
            detail = "This user has no job with this id, or it is older than 30 days."
            raise Problem(problems.NOT_FOUND, detail)
        return serving.json_response(job_as_json(found))


def _add_admin_routes(app: APIGatewayHttpResolver, service: SyncService, api: ApiSettings) -> None:
    @app.post("/api/bg/<user_id>/reconcile", **RECONCILE)
    def reconcile(user_id: params.UserId) -> Response[str]:
        sync_responses.require_connection(service.connection_state(user_id))
        order = service.new_order(user_id, telemetry.correlation_id(), kind=JobKind.RECONCILE)
        job = service.enqueue(order)
        return _accepted(app, api, job, user_id, job.order.job_id, {})

    @app.get("/api/bg/<user_id>/completeness", **COMPLETENESS)
    def completeness(
        user_id: params.UserId, from_: params.FirstDay = None, to: params.LastDay = None
    ) -> Response[str]:
        first, last = params.parse_days(from_, to, service.clock.now())
        return serving.json_response(days_as_json(service.completeness(user_id, first, last)))

    @app.put("/api/bg/<user_id>/settings", **SETTINGS)
    def change_settings(user_id: params.UserId, body: params.SettingsBody) -> Response[str]:
        if not service.stores.states.choose_interval(user_id, body.poll_interval_seconds):
            raise Problem(problems.NOT_CONNECTED)
        return serving.json_response({"poll_interval_seconds": body.poll_interval_seconds})


def _accepted(
    app: APIGatewayHttpResolver,
    api: ApiSettings,
    job: Job | None,
    user_id: str,
    job_id: str,
    headers: dict[str, str],
) -> Response[str]:
    url = serving.public_address(app, api, f"/api/bg/{user_id}/sync/jobs/{job_id}")
    return serving.json_response(job and job_as_json(job), HTTPStatus.ACCEPTED, headers | {"Location": url})


def _app(own: Process) -> APIGatewayHttpResolver:
    return build(own.part(sync_service), own.part(audit), own.part(sync_limit), ApiSettings.of(own.settings))


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one request."""
    return serving.serve(process().part(_app), event, context, process().clock)
