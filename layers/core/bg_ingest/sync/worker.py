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

from bg_ingest.sync import queue

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.clock import Clock
    from bg_ingest.sync.job import Order, SyncResult
    from bg_ingest.sync.queue import JobsQueue


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as SQS handed it over."""

    message_id: str
    receipt_handle: str = field(repr=False)
    body: str = field(repr=False)
    received: int  # How often, this time included.


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What became of one message."""

    message_id: str
    keep: bool
    order: Order | None = None  # None: the message is none of ours, and ends among the dead letters.
    report: SyncResult | None = None


def handle_delivery(
    delivery: Delivery,
    *,
    sync: Callable[[Order], SyncResult],
    jobs_queue: JobsQueue,
    clock: Clock,
    jitter: Callable[[], float],
) -> DeliveryResult:
    """Carry out one message's order."""
    try:
        order = queue.parse_order(delivery.body)
    except (ValueError, KeyError, TypeError):
        jobs_queue.hide(delivery.receipt_handle, 0)
        return DeliveryResult(delivery.message_id, keep=True)
    early_s = _early_s(order, clock)
    if early_s > 0:
        jobs_queue.hide(delivery.receipt_handle, early_s)
        return DeliveryResult(delivery.message_id, keep=True, order=order)
    try:
        report = sync(order)
        follow_up(order, report, jobs_queue, clock, jitter)
    except Exception:
        jobs_queue.hide(delivery.receipt_handle, own_failure_delay_s(delivery.received, jitter()))
        raise
    # Only now: whatever has to follow is in the queue.
    return DeliveryResult(delivery.message_id, keep=False, order=order, report=report)


def _early_s(order: Order, clock: Clock) -> int:
    if order.not_before is None:
        return 0
    return min(int((order.not_before - clock.now()).total_seconds()), WAIT_S_MAX)


def follow_up(
    order: Order, report: SyncResult, jobs_queue: JobsQueue, clock: Clock, jitter: Callable[[], float]
) -> None:
    """Queue what has to follow an order that was carried out: another try, or the rest."""
    if report.again_in_s is not None:
        wait_s = deferral_s(order.deferrals, jitter(), report.again_in_s)
        delay_s = min(wait_s, queue.DELAY_S_MAX)
        until = clock.now() + timedelta(seconds=wait_s) if wait_s > delay_s else None
        put_off = replace(report.rest or order, deferrals=order.deferrals + 1, not_before=until)
        jobs_queue.send([put_off], delay_s)
    elif report.rest is not None:
        jobs_queue.send([replace(report.rest, deferrals=0, not_before=None)])


# How long to wait before another try; `spread` in [0, 1) keeps those who failed together apart.
# For the provider: soon at first, since most trouble is short, then doubling up to a quarter of an hour.
_DEFER_S_MIN = 10
_DEFER_S_MAX = 900
# For our own failures: four more tries within an hour and a half, then a person has to look.
_OWN_S_MIN = 60
_OWN_S_MAX = 3_600
# SQS hides nothing for longer than twelve hours.
WAIT_S_MAX = 12 * 3_600 - 1


def deferral_s(deferrals: int, spread: float, asked_s: float) -> int:
    """
    How long to put an order off that was put off `deferrals` times before.

    What the provider asked for is a lower bound, 0 if it said nothing; the spread comes on top, so that all
    who were told the same do not come back at once.
    """
    half_s = min(_DEFER_S_MIN * 2**deferrals, _DEFER_S_MAX) / 2
    return int(min(max(half_s, asked_s) + _share(spread) * half_s, WAIT_S_MAX))


def own_failure_delay_s(received: int, spread: float) -> int:
    """How long to hide a message whose order failed for reasons of ours the `received`th time."""
    half_s = min(_OWN_S_MIN * 4 ** (received - 1), _OWN_S_MAX) / 2
    return int(half_s + _share(spread) * half_s)


def _share(spread: float) -> float:
    assert 0.0 <= spread < 1.0  # noqa: S101 - only a bug can break it.
    return spread
