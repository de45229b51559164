"""The log of a worker's invocation: one line for all its uneventful polls, and one for each other order."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bg_ingest.sync.job import JobKind, JobStatus, Trigger
from bg_ingest.telemetry.call_observer import CALLED
from bg_ingest.telemetry.correlation import correlation_id
from bg_ingest.telemetry.logger import log, waiting_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.sync.worker import Delivery, DeliveryResult
    from bg_ingest.telemetry.json_lines import Fact


class OrderLog:
    """
    Collects the uneventful polls of one invocation from its threads.

    A poll is uneventful if its first delivery succeeded and nothing was logged as a warning meanwhile. Lines
    about its calls are dropped then. Those of every other order are written.
    """

    def __init__(self) -> None:
        self._polls: list[dict[str, Fact]] = []

    def logged(self, delivery: Delivery, handle: Callable[[], DeliveryResult]) -> DeliveryResult:
        """Handle one delivery, and log it."""
        with waiting_lines() as waiting:
            handled = handle()
            uneventful = None if waiting.are_written else _uneventful(handled, delivery.received)
            if uneventful:
                calls = waiting.count(CALLED)
                self._polls.append({"correlation_id": correlation_id(), "calls": calls, **uneventful})
                waiting.drop()
            else:
                _log(handled, delivery.received)
        return handled

    def write(self) -> None:
        """Write the line of the uneventful polls."""
        if self._polls:
            log("polls carried out", polls=self._polls)


def _uneventful(handled: DeliveryResult, received: int) -> dict[str, Fact] | None:
    """What an uneventful poll did; None for every other order."""
    result = handled.result
    if handled.keep or received > 1 or result is None or result.job is None or result.counts is None:
        return None
    job, counts = result.job, result.job.counts
    by_schedule = job.order.kind is JobKind.INCREMENTAL and job.order.trigger is Trigger.SCHEDULE
    if not by_schedule or job.order.is_retry or job.status is not JobStatus.SUCCEEDED or counts.invalid_total:
        return None
    return {
        "fetched": counts.fetched,
        "stored": counts.stored,
        "revised": counts.revised,
        "duplicates": counts.duplicates,
    }


def _log(handled: DeliveryResult, received: int) -> None:
    if handled.order is None or handled.result is None:
        log("message unreadable", level=logging.ERROR, received=received)
        return
    log("order carried out", kept=handled.keep, received=received, **handled.result.facts())
