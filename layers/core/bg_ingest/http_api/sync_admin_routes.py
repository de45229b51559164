"""The routes around syncing: how often, how complete, and comparing with the provider once more."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from aws_lambda_powertools.event_handler import Response  # noqa: TC002 - Powertools reads it at run time.

from bg_ingest import problems, telemetry
from bg_ingest.http_api import links, params, serving, sync_responses
from bg_ingest.problems import Problem
from bg_ingest.sync.sync_json import days_as_json, job_as_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

    from bg_ingest.accounts.connection import State
    from bg_ingest.clock import Clock
    from bg_ingest.readings.completeness import Day
    from bg_ingest.sync.job import Job
    from bg_ingest.sync.state import SyncStates


class SyncAdmin(Protocol):
    """The part of the engine that these routes use."""

    @property
    def states(self) -> SyncStates:
        """Where each user's syncing stands."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...

    def connection_state(self, user_id: str) -> State:
        """How the user's connection stands."""
        ...

    def completeness(self, user_id: str, first: date, last: date) -> Iterable[Day]:
        """How complete these days are."""
        ...

    def reconcile(self, user_id: str, correlation_id: str) -> Job:
        """Queue a comparison with the provider."""
        ...


def add_sync_admin_routes(app: APIGatewayHttpResolver, keeper: SyncAdmin) -> None:
    """Add them to the routes of a function."""

    @app.post("/api/bg/<user_id>/reconcile")
    def start_reconciling(user_id: params.UserId) -> Response[str]:
        sync_responses.require_connection(keeper.connection_state(user_id))
        job = keeper.reconcile(user_id, telemetry.correlation_id())
        where = links.address(app.current_event.raw_event, f"/api/bg/{user_id}/sync/jobs/{job.order.job_id}")
        return serving.json_response(job_as_json(job), HTTPStatus.ACCEPTED, {"Location": where})

    @app.get("/api/bg/<user_id>/completeness")
    def completeness(
        user_id: params.UserId, from_: params.FirstDay = None, to: params.LastDay = None
    ) -> Response[str]:
        first, last = params.parse_days(from_, to, keeper.clock.now())
        return serving.json_response(days_as_json(keeper.completeness(user_id, first, last)))

    @app.put("/api/bg/<user_id>/settings")
    def settle(user_id: params.UserId, asked: params.SettingsBody) -> Response[str]:
        if not keeper.states.choose_interval(user_id, asked.poll_interval_seconds):
            raise Problem(problems.NOT_CONNECTED)
        return serving.json_response({"poll_interval_seconds": asked.poll_interval_seconds})
