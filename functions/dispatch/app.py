"""Schedules: order a sync for every user who is due, or the reconciliations of this hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bg_ingest import telemetry
from bg_ingest.sync.dispatch import POLLS, RECONCILIATIONS, dispatch
from bg_ingest.wiring.process import process, users_table
from bg_ingest.wiring.queue_parts import jobs_queue

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# The `schedule` that the template's hourly schedule sends; the tick of the minute sends none.
_SCHEDULES = {"reconcile": RECONCILIATIONS}


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Serve one tick."""
    own = process()
    schedule = _SCHEDULES.get(event.get("schedule", ""), POLLS)
    done = dispatch(
        schedule,
        table=own.part(users_table),
        send=own.part(jobs_queue).send,
        intervals_s=own.settings.intervals_s,
        correlation_id=telemetry.correlation_id(),
        clock=own.clock,
    )
    telemetry.log("tick served", kind=schedule.kind, periods=done.periods, users=done.users)
    telemetry.measure_tick(schedule.kind, done.periods, done.users)
    return {"periods": done.periods, "users": done.users}
