"""HTTP: start a sync or a reconciliation, show the state and jobs of a user's syncing, set its interval."""

from __future__ import annotations

import bg_ingest.telemetry.boot  # noqa: F401 - the first import: it shortens the cold start.

from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from bg_ingest import problems, telemetry
from bg_ingest.access.audit import Audit
from bg_ingest.access.caller import READ_SCOPE, WRITE_SCOPE
from bg_ingest.access.caller_limits import WriteLimits
from bg_ingest.access.grant import Category
from bg_ingest.access.grants import GrantService
from bg_ingest.http_api import guard, responding, serving, shared
from bg_ingest.http_api.answers import sync_responses
from bg_ingest.http_api.answers.source_json import sources_as_json
from bg_ingest.http_api.answers.sync_json import (
    CompletenessJson,
    JobJson,
    SettingsJson,
    SyncStateJson,
    days_as_json,
    job_as_json,
    state_as_json,
)
from bg_ingest.http_api.description import RATE_HEADERS, SYNCING, describe, response
from bg_ingest.http_api.requests import params, parsing
from bg_ingest.http_api.requests.source_choice import connected_sources, of_provider
from bg_ingest.http_api.serving import ApiSettings
from bg_ingest.http_api.shared import SharedRoutes
from bg_ingest.problems import Problem
from bg_ingest.sync.job import Job, JobKind
from bg_ingest.sync.service import SyncService
from bg_ingest.sync.user_sources import freshest_source
from bg_ingest.wiring.access.grant_parts import grant_service
from bg_ingest.wiring.process import Process, process
from bg_ingest.wiring.store_parts import audit
from bg_ingest.wiring.sync_parts import sync_limits, sync_service

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from bg_ingest.sync.job import Order
    from bg_ingest.sync.user_sources import UserSource
    from bg_ingest.sync.windows import Window


START = describe(
    "startSync",
    SYNCING,
    "Fetch from each source now: the range in the body, or what a poll would fetch",
    response(200, "The job of the source with the newest data has ended", JobJson, headers=RATE_HEADERS),
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
    response(
        202,
        "The job is queued or running; Location is its URL. It may be the job of an earlier request",
        JobJson,
        headers=["Location", *RATE_HEADERS],
    ),
    scope=WRITE_SCOPE,
    problems=[problems.NOT_CONNECTED, problems.REAUTHORIZATION_NEEDED, problems.TOO_MANY_REQUESTS],
)
COMPLETENESS = describe(
    "getCompleteness",
    SYNCING,
    "Get the completeness of each day, of UTC or local",
    response(200, "The days", CompletenessJson),
    scope=READ_SCOPE,
    problems=[problems.RANGE_TOO_LONG],
)
SHARED_COMPLETENESS = shared.described(COMPLETENESS, "getSharedCompleteness")
OPEN_TO_READERS = {"/api/shared/completeness": Category.COMPLETENESS}
SETTINGS = describe(
    "changeSettings",
    SYNCING,
    "Set the polling interval of a user; it takes effect at once",
    response(200, "The new settings", SettingsJson, headers=RATE_HEADERS),
    scope=WRITE_SCOPE,
    problems=[problems.NOT_CONNECTED, problems.TOO_MANY_REQUESTS],
)


def build(
    service: SyncService, audit: Audit, grants: GrantService, limits: WriteLimits, api: ApiSettings
) -> APIGatewayHttpResolver:
    """Build the routes."""
    # Checks access, counts writes and audits each request before the route runs.
    app = serving.routes(api, audit, limits, shared_routes=SharedRoutes(grants, OPEN_TO_READERS))
    _add_sync_routes(app, service, api)
    _add_job_routes(app, service, api)
    _add_admin_routes(app, service, api)
    return app


def _add_sync_routes(app: APIGatewayHttpResolver, service: SyncService, api: ApiSettings) -> None:
    @app.post("/api/bg/<user_id>/sync", **START)
    def start(
        user_id: params.UserId,
        body: params.SyncBody = None,
        prefer: params.Prefer = None,
        provider: params.OfProvider = None,
    ) -> Response[str]:
        headers: dict[str, str] = {}
        window = parsing.parse_window(body, service.clock.now())
        source, *others = connected_sources(service, user_id, provider)
        for other in others:
            _order(service, user_id, other, window=window)
        # During an outage one job waits, however often a caller asks.
        waiting = service.waiting_order(user_id, window, source=source.name)
        order = waiting or service.new_order(
            user_id, telemetry.correlation_id(), window=window, source=source.name
        )
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
                shown = sync_responses.job_or_problem(result) | {"provider": source.provider}
                return responding.json_response(shown, headers=headers)
        elif waiting is None:
            service.enqueue(order)
        return _accepted(app, api, service, order, headers)

    @app.get("/api/bg/<user_id>/sync", **STATE)
    def state(user_id: params.UserId, provider: params.OfProvider = None) -> Response[str]:
        sources = service.sources(user_id)
        source = freshest_source(of_provider(service, sources, provider))
        stretch = service.stores.states.stretch()
        delays = (
            service.delays(source.sync_state, stretch, service.last_day(user_id))
            if source.sync_state
            else None
        )
        now = service.clock.now()
        shown = state_as_json(source.sync_state, source.state, service.poll_interval_s, now, stretch, delays)
        shown |= {"provider": source.provider, "sources": sources_as_json(sources)}
        return responding.json_response(shown)


def _add_job_routes(app: APIGatewayHttpResolver, service: SyncService, api: ApiSettings) -> None:
    @app.get("/api/bg/<user_id>/sync/jobs", **JOBS)
    def jobs(
        user_id: params.UserId, limit: params.JobsLimit = 50, cursor: params.ItemCursor = None
    ) -> Response[str]:
        found = list(islice(service.history.newest_first(user_id, parsing.parse_cursor(cursor)), limit + 1))
        page, has_next = found[:limit], len(found) > limit
        next_query = {"limit": str(limit), "cursor": page[-1].order.job_id} if has_next else None
        link = responding.next_link(app, api, next_query)
        first = service.provider_of(user_id)
        shown = [job_as_json(job) | {"provider": job.order.source or first} for job in page]
        return responding.json_response(shown, headers=link)

    @app.get("/api/bg/<user_id>/sync/jobs/<job_id>", **JOB)
    def job(user_id: params.UserId, job_id: params.JobId) -> Response[str]:
        found = service.history.get(user_id, job_id)
        if found is None:
            detail = "This user has no job with this id, or it is older than 30 days."
            raise Problem(problems.NOT_FOUND, detail)
        return responding.json_response(_shown(service, found))


def _add_admin_routes(app: APIGatewayHttpResolver, service: SyncService, api: ApiSettings) -> None:
    @app.post("/api/bg/<user_id>/reconcile", **RECONCILE)
    def reconcile(user_id: params.UserId, provider: params.OfProvider = None) -> Response[str]:
        # One reconciliation of a source waits or runs at a time, however often callers ask.
        order, *_ = [
            _order(service, user_id, source, JobKind.RECONCILE)
            for source in connected_sources(service, user_id, provider)
        ]
        return _accepted(app, api, service, order, {})

    @app.get("/api/bg/<user_id>/completeness", **COMPLETENESS)
    def completeness(
        user_id: params.UserId,
        from_: params.FirstDay = None,
        to: params.LastDay = None,
        days: params.Days = "utc",
    ) -> Response[str]:
        local = days == "local"
        today = service.local_date(user_id) if local else service.clock.now().date()
        first, last = parsing.parse_days(from_, to, today)
        seen = guard.visible_days(app, service.stores.reading_store, first, last)
        found = service.completeness(user_id, *seen, local=local) if seen else ()
        return responding.json_response(days_as_json(found))

    app.get("/api/shared/completeness", **SHARED_COMPLETENESS)(shared.of_reader(app, completeness))

    @app.put("/api/bg/<user_id>/settings", **SETTINGS)
    def change_settings(
        user_id: params.UserId, body: params.SettingsBody, provider: params.OfProvider = None
    ) -> Response[str]:
        interval_s = parsing.parse_interval(body, service.poll_interval_s)
        source = freshest_source(of_provider(service, service.sources(user_id), provider))
        if not service.stores.states.choose_interval(user_id, interval_s, source.name):
            raise Problem(problems.NOT_CONNECTED)
        return responding.json_response({"poll_interval_seconds": interval_s})


def _order(
    service: SyncService,
    user_id: str,
    source: UserSource,
    kind: JobKind = JobKind.INCREMENTAL,
    window: Window | None = None,
) -> Order:
    """Return the waiting order of this kind for the source, or a new one."""
    order = service.waiting_order(user_id, window, kind, source.name)
    if order is None:
        correlation_id = telemetry.correlation_id()
        order = service.new_order(user_id, correlation_id, kind=kind, window=window, source=source.name)
        service.enqueue(order)
    return order


def _accepted(
    app: APIGatewayHttpResolver,
    api: ApiSettings,
    service: SyncService,
    order: Order,
    headers: dict[str, str],
) -> Response[str]:
    job = service.history.get(order.user_id, order.job_id)
    url = responding.public_address(app, api, f"/api/bg/{order.user_id}/sync/jobs/{order.job_id}")
    shown = _shown(service, job) if job else None
    return responding.json_response(shown, HTTPStatus.ACCEPTED, headers | {"Location": url})


def _shown(service: SyncService, job: Job) -> dict[str, Any]:
    return job_as_json(job) | {"provider": service.provider_of(job.order.user_id, job.order.source)}


def _app(own: Process) -> APIGatewayHttpResolver:
    api = ApiSettings.of(own.settings)
    parts = own.part(sync_service), own.part(audit), own.part(grant_service), own.part(sync_limits)
    return build(*parts, api)


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one request."""
    return serving.serve(process().part(_app), event, context, process().clock)
