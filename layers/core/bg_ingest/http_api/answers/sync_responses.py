"""Responses to a request for a sync: the finished job, or the problem document that explains its failure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bg_ingest import problems
from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.http_api.answers.source_json import OTHER_ACCOUNT
from bg_ingest.http_api.answers.sync_json import job_as_json
from bg_ingest.problems import Problem
from bg_ingest.sync.job import ACCOUNT_CHANGED, NOT_CONNECTED, REAUTHORIZATION_NEEDED

if TYPE_CHECKING:
    from typing import Any

    from bg_ingest.sync.job import SyncResult

_PROBLEM_OF_FAILURE = {
    NOT_CONNECTED: problems.NOT_CONNECTED,
    REAUTHORIZATION_NEEDED: problems.REAUTHORIZATION_NEEDED,
}
_RETRY_AFTER_S_MIN = 30


def job_or_problem(result: SyncResult) -> dict[str, Any]:
    """
    Return the job of a sync that has ended.

    - If another sync of this user was running, then raise 409 with the id of that job.
    - If the user is not connected, has to log in again, or logged in with another account, then raise 409.
    - If the provider could not be reached, then raise 503: the sync is queued for another attempt.
    """
    if result.busy:
        running = result.job.order.job_id if result.job else None
        raise Problem(problems.SYNC_RUNNING, job_id=running)
    assert result.job is not None  # noqa: S101 - only a busy result has no job.
    failure = result.job.failure
    if failure and failure.type == ACCOUNT_CHANGED:
        raise Problem(problems.REAUTHORIZATION_NEEDED, OTHER_ACCOUNT)
    if failure and failure.type in _PROBLEM_OF_FAILURE:
        raise Problem(_PROBLEM_OF_FAILURE[failure.type])
    if result.retry_in_s is not None:
        raise Problem(
            problems.PROVIDER_UNAVAILABLE,
            headers=retry_after(result.retry_in_s),
            job_id=result.job.order.job_id,
        )
    return job_as_json(result.job)


def retry_after(retry_in_s: float) -> dict[str, str]:
    """The header that says when a deferred job is worth another look."""
    return {"Retry-After": str(max(math.ceil(retry_in_s), _RETRY_AFTER_S_MIN))}


def require_connection(state: ConnectionState, *, account_changed: bool) -> None:
    """Raise 409 before a sync is started that could only fail for lack of a connection."""
    if state is ConnectionState.NEEDS_REAUTH:
        raise Problem(problems.REAUTHORIZATION_NEEDED, OTHER_ACCOUNT if account_changed else None)
    if state is ConnectionState.DISCONNECTED:
        raise Problem(problems.NOT_CONNECTED)


def wants_to_wait(prefer: str | None) -> bool:
    """Return whether the caller waits for the result; `Prefer: respond-async` says no (RFC 7240)."""
    preferences = [part.split(";")[0].strip().lower() for part in (prefer or "").split(",")]
    return "respond-async" not in preferences
