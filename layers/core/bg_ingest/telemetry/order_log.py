"""The log of a worker's invocation: one line for all its uneventful polls, and one for each other order."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bg_ingest.sync.job import JobKind, JobStatus, Trigger
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

    def told(self, delivery: Delivery, handle: Callable[[], DeliveryResult]) -> DeliveryResult:
        """Handle one delivery and log it."""
        with waiting_lines() as waiting:
            try:
                handled = handle()
            except Exception:
                waiting.write()
                raise
            if not waiting.are_written and _is_uneventful(handled, delivery.received):
                self._polls.append(_poll(handled, calls=len(waiting)))
                return handled
            waiting.write()
            _log(handled, delivery.received)
        return handled

    def write(self) -> None:
        """Write the line of the uneventful polls."""
        if self._polls:
            log("polls carried out", polls=self._polls)


def _is_uneventful(handled: DeliveryResult, received: int) -> bool:
    result = handled.result
    if handled.keep or received > 1 or result is None or result.job is None or result.counts is None:
        return False
    job = result.job
    return (
        job.status is JobStatus.SUCCEEDED
        and job.order.kind is JobKind.INCREMENTAL
        and job.order.trigger is Trigger.SCHEDULE
        and not job.order.is_retry
        and job.counts.invalid_total == 0
    )


def _poll(handled: DeliveryResult, calls: int) -> dict[str, Fact]:
    assert handled.result is not None  # noqa: S101 - an uneventful poll has one.
    facts = handled.result.facts()
    counted: dict[str, Fact] = {name: facts[name] for name in ("fetched", "stored", "revised", "duplicates")}
    own: dict[str, Fact] = {"correlation_id": correlation_id(), "calls": calls}
    return own | counted


def _log(handled: DeliveryResult, received: int) -> None:
    if handled.order is None or handled.result is None:
        log("message unreadable", level=logging.ERROR, received=received)
        return
    log("order carried out", kept=handled.keep, received=received, **handled.result.facts())
