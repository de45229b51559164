"""What a caller is told about the sync they asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bg_ingest import problems
from bg_ingest.accounts.connection import State
from bg_ingest.problems import Problem
from bg_ingest.sync.job import NOT_CONNECTED, REAUTHORIZATION_NEEDED
from bg_ingest.sync.sync_json import job_as_json

if TYPE_CHECKING:
    from typing import Any

    from bg_ingest.sync.job import SyncResult

_REFUSALS = {
    NOT_CONNECTED: problems.NOT_CONNECTED,
    REAUTHORIZATION_NEEDED: problems.REAUTHORIZATION_NEEDED,
}
_RETRY_AFTER_S_MIN = 30


def job_or_problem(report: SyncResult) -> dict[str, Any]:
    """The finished job; a Problem when there is none to show."""
    if report.busy:
        running = report.job.order.job_id if report.job else None
        raise Problem(problems.SYNC_RUNNING, job_id=running)
    assert report.job is not None  # noqa: S101 - only a busy report has none.
    failure = report.job.failure
    if failure and failure.type in _REFUSALS:
        raise Problem(_REFUSALS[failure.type])
    if report.again_in_s is not None:
        wait_s = max(math.ceil(report.again_in_s), _RETRY_AFTER_S_MIN)
        raise Problem(
            problems.PROVIDER_UNAVAILABLE,
            headers={"Retry-After": str(wait_s)},
            job_id=report.job.order.job_id,
        )
    return job_as_json(report.job)


def require_connection(state: State) -> None:
    """The Problem that a sync would end in for want of a connection, before it is queued."""
    if state is State.NEEDS_REAUTH:
        raise Problem(problems.REAUTHORIZATION_NEEDED)
    if state is State.DISCONNECTED:
        raise Problem(problems.NOT_CONNECTED)


def wants_to_wait(prefer: str | None) -> bool:
    """Whether the caller stays for the result (RFC 7240); respond-async says no."""
    wishes = [wish.split(";")[0].strip().lower() for wish in (prefer or "").split(",")]
    return "respond-async" not in wishes
