"""HTTP: start a sync or a reconciliation, show the state and jobs of a user's syncing, set its interval."""

from __future__ import annotations

from datetime import date
from functools import cache
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from pydantic import Field
from typing_extensions import TypedDict

from bg_ingest import problems, telemetry
from bg_ingest.access.audit import Audit
from bg_ingest.access.caller import READ_SCOPE, WRITE_SCOPE
from bg_ingest.access.caller_limits import CallerLimit
from bg_ingest.accounts.connection import State
from bg_ingest.http_api import params, serving, sync_responses
from bg_ingest.http_api.description import RATE_HEADERS, SYNCING, Instant, describe, response
from bg_ingest.http_api.serving import ApiSettings
from bg_ingest.problems import Problem
from bg_ingest.settings import settings
from bg_ingest.sync.job import Job, JobKind, JobStatus, Trigger
from bg_ingest.sync.sync_json import days_as_json, job_as_json, state_as_json
from bg_ingest.wiring import limits, stores, syncing
from bg_ingest.wiring.syncing import Engine

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


class WindowJson(TypedDict):
    """A range of time."""

    from_: Annotated[Instant, Field(alias="from")]
    to: Instant


class JobCountsJson(TypedDict):
    """The number of records that a job fetched, by what happened to them."""

    fetched: Annotated[int, Field(ge=0)]
    stored: Annotated[int, Field(ge=0)]
    revised: Annotated[int, Field(ge=0)]
    duplicates: Annotated[int, Field(ge=0)]
    invalid: Annotated[int, Field(ge=0)]


class InvalidRecordsJson(TypedDict):
    """The number of records that were rejected for one reason."""

    reason: Annotated[str, Field(examples=["value-missing"])]
    count: Annotated[int, Field(ge=1)]


class JobErrorJson(TypedDict):
    """The reason why a job failed."""

    type: str
    retryable: bool
    attempts: Annotated[int, Field(ge=1)]


class JobJson(TypedDict):
    """One sync: its order, its status and its result."""

    job_id: Annotated[str, Field(pattern="^[0-9a-f]{28}$", examples=["019b0c2f5d4e0123456789abcdef"])]
    kind: JobKind
    trigger: Trigger
    status: JobStatus
    started_at: Instant | None
    finished_at: Instant | None
    window: WindowJson | None
    counts: JobCountsJson
    invalid: list[InvalidRecordsJson]
    error: JobErrorJson | None
    correlation_id: str


class BackfillJson(TypedDict):
    """How much of a user's history has been fetched; it is fetched from the newest reading backwards."""

    done: bool
    from_: Annotated[Instant | None, Field(alias="from")]
    reached: Instant | None


class SyncStateJson(TypedDict):
    """The state of a user's syncing."""

    connection: State
    last_success_at: Instant | None
    last_attempt_at: Instant | None
    data_until: Instant | None
    consecutive_failures: Annotated[int, Field(ge=0)]
    next_poll_at: Instant | None
    poll_interval_seconds: int
    backfill: BackfillJson
    running_job: str | None


class DayGapJson(TypedDict):
    """A range of time without readings."""

    from_: Annotated[Instant, Field(alias="from")]
    to: Instant


class CompleteDayJson(TypedDict):
    """The completeness of one UTC day."""

    date: date
    expected: Annotated[int, Field(ge=0, examples=[288])]
    received: Annotated[int, Field(ge=0)]
    late: Annotated[int, Field(ge=0, description="Received more than four hours after the measurement")]
    missing: Annotated[int, Field(ge=0)]
    gaps: list[DayGapJson]


class CompletenessJson(TypedDict):
    """The completeness of each day that a reconciliation has compared with the provider."""

    days: list[CompleteDayJson]


class SettingsJson(TypedDict):
    """The settings of a user."""

    poll_interval_seconds: Annotated[int, Field(examples=[900])]


START = describe(
    "startSync",
    SYNCING,
    "Fetch from the provider now: the range in the body, or what a poll would fetch",
    response(200, "The job has ended", JobJson, headers=RATE_HEADERS),
    response(
        202,
        "The job is queued or still running; Location is its URL",
        JobJson,
        headers=["Location", *RATE_HEADERS],
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


def build(engine: Engine, audit: Audit, sync_limit: CallerLimit, api: ApiSettings) -> APIGatewayHttpResolver:
    """Build the routes; `sync_limit` limits how often one caller may start a sync."""
    app = serving.routes(api, audit)  # Checks access and audits each request before the route runs.
    _add_sync_routes(app, engine, sync_limit, api)
    _add_job_routes(app, engine, api)
    _add_admin_routes(app, engine, api)
    return app


def _add_sync_routes(
    app: APIGatewayHttpResolver, engine: Engine, sync_limit: CallerLimit, api: ApiSettings
) -> None:
    @app.post("/api/bg/<user_id>/sync", **START)
    def start(
        user_id: params.UserId, body: params.SyncBody = None, prefer: params.Prefer = None
    ) -> Response[str]:
        headers = serving.count_call(sync_limit, serving.caller(app, api))
        window = params.parse_window(body, engine.clock.now())
        order = engine.order(user_id, window, telemetry.correlation_id())
        if sync_responses.wants_to_wait(prefer):
            result = engine.run_or_queue(
                order, lambda: app.lambda_context.get_remaining_time_in_millis() / 1000
            )
            if not result.unfinished:
                return serving.json_response(sync_responses.job_or_problem(result), headers=headers)
        else:
            sync_responses.require_connection(engine.connection_state(user_id))
            engine.queue(order)
        return _accepted(app, api, engine.trail.get(user_id, order.job_id), user_id, order.job_id, headers)

    @app.get("/api/bg/<user_id>/sync", **STATE)
    def state(user_id: params.UserId) -> Response[str]:
        sync_state = engine.states.get(user_id)
        connection = engine.connection_state(user_id)
        return serving.json_response(
            state_as_json(sync_state, connection, engine.poll_interval_s, engine.clock.now())
        )


def _add_job_routes(app: APIGatewayHttpResolver, engine: Engine, api: ApiSettings) -> None:
    @app.get("/api/bg/<user_id>/sync/jobs", **JOBS)
    def jobs(
        user_id: params.UserId, limit: params.JobsLimit = 50, cursor: params.Cursor = None
    ) -> Response[str]:
        found = list(islice(engine.trail.newest_first(user_id, params.parse_cursor(cursor)), limit + 1))
        page, has_next = found[:limit], len(found) > limit
        next_query = {"limit": str(limit), "cursor": page[-1].order.job_id} if has_next else None
        link = serving.next_link(app, api, next_query)
        return serving.json_response([job_as_json(job) for job in page], headers=link)

    @app.get("/api/bg/<user_id>/sync/jobs/<job_id>", **JOB)
    def job(user_id: params.UserId, job_id: params.JobId) -> Response[str]:
        found = engine.trail.get(user_id, job_id)
        if found is None:
            detail = "This user has no job with this id, or it is older than 30 days."
            raise Problem(problems.NOT_FOUND, detail)
        return serving.json_response(job_as_json(found))


def _add_admin_routes(app: APIGatewayHttpResolver, engine: Engine, api: ApiSettings) -> None:
    @app.post("/api/bg/<user_id>/reconcile", **RECONCILE)
    def reconcile(user_id: params.UserId) -> Response[str]:
        sync_responses.require_connection(engine.connection_state(user_id))
        job = engine.reconcile(user_id, telemetry.correlation_id())
        return _accepted(app, api, job, user_id, job.order.job_id, {})

    @app.get("/api/bg/<user_id>/completeness", **COMPLETENESS)
    def completeness(
        user_id: params.UserId, from_: params.FirstDay = None, to: params.LastDay = None
    ) -> Response[str]:
        first, last = params.parse_days(from_, to, engine.clock.now())
        return serving.json_response(days_as_json(engine.completeness(user_id, first, last)))

    @app.put("/api/bg/<user_id>/settings", **SETTINGS)
    def change_settings(user_id: params.UserId, body: params.SettingsBody) -> Response[str]:
        if not engine.states.choose_interval(user_id, body.poll_interval_seconds):
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


@cache
def _app() -> APIGatewayHttpResolver:
    return build(syncing.engine(), stores.audit(), limits.sync(), ApiSettings.of(settings()))


@telemetry.entry_point
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one request."""
    return serving.serve(_app(), event, context, stores.clock())
