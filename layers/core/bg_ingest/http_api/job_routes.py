"""The routes that show the jobs of the last thirty days."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Protocol

from aws_lambda_powertools.event_handler import Response  # noqa: TC002 - Powertools reads it at run time.

from bg_ingest import problems
from bg_ingest.http_api import links, params, serving
from bg_ingest.problems import Problem
from bg_ingest.sync.sync_json import job_as_json

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

    from bg_ingest.sync.job_history import JobHistory


class HasJobHistory(Protocol):
    """The part of the engine that these routes use."""

    @property
    def trail(self) -> JobHistory:
        """The jobs, with what runs now."""
        ...


def add_job_routes(app: APIGatewayHttpResolver, keeper: HasJobHistory) -> None:
    """Add them to the routes of a function."""

    @app.get("/api/bg/<user_id>/sync/jobs")
    def jobs(
        user_id: params.UserId, limit: params.JobsLimit = 50, cursor: params.Cursor = None
    ) -> Response[str]:
        found = list(islice(keeper.trail.newest_first(user_id, params.job_cursor(cursor)), limit + 1))
        page, more = found[:limit], found[limit:]
        rest = {"limit": str(limit), "cursor": page[-1].order.job_id} if more else None
        link = links.next_link(app.current_event.raw_event, rest) if rest else {}
        return serving.json_response([job_as_json(job) for job in page], headers=link)

    @app.get("/api/bg/<user_id>/sync/jobs/<job_id>")
    def job(user_id: params.UserId, job_id: params.JobId) -> Response[str]:
        found = keeper.trail.get(user_id, job_id)
        if found is None:
            raise Problem(problems.NOT_FOUND, "There is no such job, or it is older than 30 days.")
        return serving.json_response(job_as_json(found))
