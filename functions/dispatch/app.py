"""Schedules: a tick sends a message for each shard of users that is due; a shard sends its users' orders."""

from __future__ import annotations

import bg_ingest.telemetry.boot  # noqa: F401 - the first import: it shortens the cold start.

import json
import logging
from typing import TYPE_CHECKING, Any

from bg_ingest import telemetry
from bg_ingest.sync.dispatching.dispatch import POLLS, SCHEDULES, dispatch
from bg_ingest.sync.dispatching.shard import Shard, serve
from bg_ingest.telemetry import metrics
from bg_ingest.wiring.process import process, users_table
from bg_ingest.wiring.queue_parts import parallel_jobs_queue, shards_queue

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Serve one tick of a schedule, or some shards that a tick has sent."""
    if "Records" in event:
        return {"batchItemFailures": [record for record in map(_serve_shard, event["Records"]) if record]}
    return _tick(event)


def _tick(event: dict[str, Any]) -> dict[str, int]:
    own = process()
    schedule = SCHEDULES.get(event.get("schedule", ""), POLLS)  # The tick of the minute names none.
    done = dispatch(
        schedule,
        table=own.part(users_table),
        send=own.part(shards_queue).send,
        intervals_s=own.settings.intervals_s,
        shards=own.settings.poll_shards,
        calls_per_hour=own.settings.shared_calls_per_hour,
        correlation_id=telemetry.correlation_id(),
        clock=own.clock,
    )
    telemetry.log(
        "tick served",
        kind=schedule.kind,
        periods=done.periods,
        shards=done.shards,
        stretch_percent=done.stretch_percent,
    )
    telemetry.measure(metrics.PERIODS_SERVED, done.periods, of=schedule.kind)
    if schedule is POLLS:
        telemetry.measure(metrics.POLL_STRETCH, done.stretch_percent)
    return {"periods": done.periods, "shards": done.shards}


def _serve_shard(record: dict[str, Any]) -> dict[str, str] | None:
    """Send the orders of one shard; a failed one is delivered again and continues after its last page."""
    own = process()
    resumed = int(record["attributes"]["ApproximateReceiveCount"]) > 1
    try:
        shard = Shard.from_message(json.loads(record["body"]))
        telemetry.adopt_correlation_id(shard.correlation_id)
        queue = own.part(parallel_jobs_queue)
        users = serve(shard, table=own.part(users_table), send=queue.send, clock=own.clock, resumed=resumed)
    except Exception as error:  # noqa: BLE001 - of any error: the message stays, and the others continue.
        telemetry.log("shard failed", level=logging.ERROR, raised=error, resumed=resumed)
        return {"itemIdentifier": record["messageId"]}
    telemetry.log("shard served", kind=shard.kind, users=users, resumed=resumed)
    telemetry.measure(metrics.USERS_DISPATCHED, users, of=shard.kind)
    return None
