"""Jobs, sync states and completeness as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bg_ingest.sync import poll_slots
from bg_ingest.utc import rfc_3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bg_ingest.readings.completeness import Day
    from bg_ingest.sync.job import Job
    from bg_ingest.sync.state import SyncState


def job_as_json(job: Job) -> dict[str, Any]:
    """One job."""
    counts, failure = job.counts, job.failure
    return {
        "job_id": job.order.job_id,
        "kind": job.order.kind,
        "trigger": job.order.trigger,
        "status": job.status,
        "started_at": rfc_3339(job.started_at),
        "finished_at": rfc_3339(job.finished_at),
        "window": {"from": rfc_3339(job.window[0]), "to": rfc_3339(job.window[1])} if job.window else None,
        "counts": {
            "fetched": counts.fetched,
            "stored": counts.stored,
            "revised": counts.revised,
            "duplicates": counts.duplicates,
            "invalid": counts.invalid_total,
        },
        "invalid": [{"reason": reason, "count": count} for reason, count in counts.invalid],
        "error": {"type": failure.type, "retryable": failure.retryable, "attempts": failure.attempts}
        if failure
        else None,
        "correlation_id": job.order.correlation_id,
    }


def state_as_json(
    state: SyncState | None, connection: str, default_interval_s: int, now: datetime
) -> dict[str, Any]:
    """One user's sync state; an unknown user looks like one who never connected."""
    if state is None:
        return {
            **dict.fromkeys(
                ("last_success_at", "last_attempt_at", "data_until", "next_poll_at", "running_job")
            ),
            "connection": connection,
            "consecutive_failures": 0,
            "poll_interval_seconds": default_interval_s,
            "backfill": {"done": False, "from": None, "reached": None},
        }
    return {
        "connection": connection,
        "last_success_at": rfc_3339(state.last_success_at),
        "last_attempt_at": rfc_3339(state.last_attempt_at),
        "data_until": rfc_3339(state.data_until),
        "consecutive_failures": state.failures,
        "next_poll_at": rfc_3339(_next_poll(state, now)),
        "poll_interval_seconds": state.poll_interval_s,
        "backfill": {
            "done": state.backfill.done,
            "from": rfc_3339(state.backfill.start),
            "reached": rfc_3339(state.backfill.reached),
        },
        "running_job": state.running.order.job_id if state.running else None,
    }


def days_as_json(days: Iterable[Day]) -> dict[str, Any]:
    """How complete these days are."""
    return {
        "days": [
            {
                "date": day.date.isoformat(),
                "expected": day.expected,
                "received": day.received,
                "late": day.late,
                "missing": day.missing,
                "gaps": [{"from": rfc_3339(gap.start), "to": rfc_3339(gap.end)} for gap in day.gaps],
            }
            for day in days
        ]
    }


def _next_poll(state: SyncState, now: datetime) -> datetime | None:
    if state.slot is None:
        return None
    minute = poll_slots.next_due_minute(state.slot, int(now.timestamp()) // 60)
    return datetime.fromtimestamp(minute * 60, UTC)
