"""DynamoDB streams: publish changes as events. Manual invocation: publish a user's readings again."""

from __future__ import annotations

import bg_ingest.telemetry.boot  # noqa: F401 - the first import: it shortens the cold start.

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bg_ingest import telemetry
from bg_ingest.clock import to_iso
from bg_ingest.publishing.publish import publish_records
from bg_ingest.publishing.republish import republish
from bg_ingest.telemetry import metrics
from bg_ingest.wiring.process import process
from bg_ingest.wiring.publish_parts import dead_letter, sink
from bg_ingest.wiring.store_parts import reading_store

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@telemetry.entry_point(process)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Publish a batch of stream records, or the hours that a manual invocation names."""
    if "republish" in event:
        return _republish(event["republish"], context)
    return _publish(event["Records"])


def _publish(records: list[dict[str, Any]]) -> dict[str, Any]:
    oldest_s = min(record["dynamodb"]["ApproximateCreationDateTime"] for record in records)
    delay_s = max(process().clock.now().timestamp() - oldest_s, 0.0)
    done = publish_records(records, sink=process().part(sink), dead_letter=process().part(dead_letter))
    telemetry.measure(metrics.EVENTS_PUBLISHED, done.events)
    telemetry.measure(metrics.PUBLISH_FAILURES, int(done.retry_from is not None))
    telemetry.measure(metrics.RECORDS_SET_ASIDE, done.dead_letters)
    telemetry.measure(metrics.PUBLISH_DELAY, delay_s)
    telemetry.log(
        "changes published",
        level=logging.WARNING if done.error or done.dead_letters else logging.INFO,
        records=len(records),
        events=done.events,
        set_aside=done.dead_letters,
        trouble=done.error,
    )
    return {"batchItemFailures": [{"itemIdentifier": done.retry_from}] if done.retry_from else []}


def _republish(order: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    start, end = (datetime.fromisoformat(order[edge]).astimezone(UTC) for edge in ("from", "to"))
    done = republish(
        order["user_id"],
        process().part(reading_store).hours(order["user_id"], start, end),
        sink=process().part(sink),
        time_left_s=lambda: context.get_remaining_time_in_millis() / 1000,
    )
    telemetry.measure(metrics.EVENTS_REPUBLISHED, done.events)
    counts: dict[str, Any] = {"hours": done.hours, "events": done.events, "refused": done.refused}
    telemetry.log("published again", **counts, trouble=done.error)
    return counts | {"again_from": to_iso(done.resume_from), "trouble": done.error}
