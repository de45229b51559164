"""
One message of the jobs queue: carry out its order, then decide what becomes of it.

A queue counts how often a message was received, and gives it up after a few times. That count is kept for
what fails for reasons of ours: an order that waits for the provider, or for another sync, is put back as a
new message, with its own count of deferrals, and so outlasts any outage without becoming a dead letter.

    unreadable             shown again at once, until the queue gives it up
    not due yet            hidden until then
    carried out            gone
    rest left              a new message for the rest, behind everybody else's
    worth another try      a new message with a delay
    failed by our fault    hidden, longer each time, until the queue gives it up
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.sync import patience, queue

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.clock import Clock
    from bg_ingest.sync.job import Order
    from bg_ingest.sync.queue import JobsQueue
    from bg_ingest.sync.report import Report


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as SQS handed it over."""

    message_id: str
    receipt_handle: str = field(repr=False)
    body: str = field(repr=False)
    received: int  # How often, this time included.


@dataclass(frozen=True, slots=True)
class Worked:
    """What became of one message."""

    message_id: str
    keep: bool
    order: Order | None = None  # None: the message is none of ours, and ends among the dead letters.
    report: Report | None = None


def work(
    delivery: Delivery,
    *,
    sync: Callable[[Order], Report],
    jobs_queue: JobsQueue,
    clock: Clock,
    jitter: Callable[[], float],
) -> Worked:
    """Carry out one message's order."""
    try:
        order = queue.read(delivery.body)
    except (ValueError, KeyError, TypeError):
        jobs_queue.hide(delivery.receipt_handle, 0)
        return Worked(delivery.message_id, keep=True)
    early_s = _early_s(order, clock)
    if early_s > 0:
        jobs_queue.hide(delivery.receipt_handle, early_s)
        return Worked(delivery.message_id, keep=True, order=order)
    try:
        report = sync(order)
        follow_up(order, report, jobs_queue, clock, jitter)
    except Exception:
        jobs_queue.hide(delivery.receipt_handle, patience.own_failure_s(delivery.received, jitter()))
        raise
    # Only now: whatever has to follow is in the queue.
    return Worked(delivery.message_id, keep=False, order=order, report=report)


def _early_s(order: Order, clock: Clock) -> int:
    if order.not_before is None:
        return 0
    return min(int((order.not_before - clock.now()).total_seconds()), patience.WAIT_S_MAX)


def follow_up(
    order: Order, report: Report, jobs_queue: JobsQueue, clock: Clock, jitter: Callable[[], float]
) -> None:
    """Queue what has to follow an order that was carried out: another try, or the rest."""
    if report.again_in_s is not None:
        wait_s = patience.deferral_s(order.deferrals, jitter(), report.again_in_s)
        delay_s = min(wait_s, queue.DELAY_S_MAX)
        until = clock.now() + timedelta(seconds=wait_s) if wait_s > delay_s else None
        put_off = replace(report.rest or order, deferrals=order.deferrals + 1, not_before=until)
        jobs_queue.send([put_off], delay_s)
    elif report.rest is not None:
        jobs_queue.send([replace(report.rest, deferrals=0, not_before=None)])
