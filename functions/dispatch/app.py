"""Scheduler: queue a poll for each user that is due, or the reconciliations of this hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bg_ingest import telemetry
from bg_ingest.settings import settings
from bg_ingest.sync.dispatch import POLLS, RECONCILIATIONS, dispatch
from bg_ingest.wiring import stores

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# The input of the schedules in template.yaml; the tick of each minute has none.
_SCHEDULES = {"reconcile": RECONCILIATIONS}


@telemetry.entry_point
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, int]:
    """Handle one tick."""
    schedule = _SCHEDULES.get(event.get("schedule", ""), POLLS)
    done = dispatch(
        schedule,
        table=stores.users_table(),
        send=stores.queue().send,
        intervals_s=settings().intervals_s,
        correlation_id=telemetry.correlation_id(),
        clock=stores.clock(),
    )
    telemetry.log("tick served", kind=schedule.kind, periods=done.periods, users=done.users)
    telemetry.measure_tick(schedule.kind, done.periods, done.users)
    return {"periods": done.periods, "users": done.users}
