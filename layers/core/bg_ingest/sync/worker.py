"""
One message of a jobs queue: carry out its order, then decide what happens to the message.

SQS counts how often a message was received and moves it to the dead letters after a few times. That count is
reserved for failures of this service. An order that waits for the provider, or for another sync, is requeued
as a new message with its own count of deferrals. So an outage of any length makes no dead letters.

    the message is invalid         deliver it again at once, until it is a dead letter
    it is not due yet              hide it until then
    it was carried out             delete it
    some work is left              delete it; send a new message for the rest, to the end of the queue
    it should be retried           delete it; send a new message with a delay
    it failed in this service      hide it, longer each time, until it is a dead letter

Delays are spread at random: `spread` in [0, 1) keeps orders that failed together from returning together.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.sync.jobs import DELIVERIES_MAX
from bg_ingest.sync.orders import queue

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.clock import Clock
    from bg_ingest.sync.job import Order, SyncResult
    from bg_ingest.sync.orders.queue import JobsQueue

# For the provider: short at first, since most failures are short, then doubling up to 15 minutes.
_DEFER_S_MIN = 10
_DEFER_S_MAX = 900
# For our own failures: four more tries within 90 minutes, then the message is a dead letter for an operator.
_OWN_S_MIN = 60
_OWN_S_MAX = 3_600
# SQS hides a message for at most twelve hours.
WAIT_S_MAX = 12 * 3_600 - 1


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as SQS delivered it."""

    message_id: str
    receipt_handle: str = field(repr=False)
    body: str = field(repr=False)
    received: int  # How often, this time included.
    queue: str = ""  # The name of its queue.


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What happened to one message; `keep` leaves it in the queue."""

    message_id: str
    keep: bool
    order: Order | None = None  # None if the message is invalid.
    result: SyncResult | None = None


def handle_delivery(
    delivery: Delivery,
    *,
    sync: Callable[[Order], SyncResult],
    fail_job: Callable[[Order, int], None] = lambda _, __: None,
    jobs_queue: JobsQueue,
    clock: Clock,
    jitter: Callable[[], float],
) -> DeliveryResult:
    """
    Carry out one message's order.

    `fail_job` records the end of a job that failed at its last delivery.
    """
    try:
        order = queue.parse_order(delivery.body)
    except (ValueError, KeyError, TypeError):
        jobs_queue.hide(delivery.receipt_handle, 0, delivery.queue)
        return DeliveryResult(delivery.message_id, keep=True)
    if delivery.received > 1:
        order = replace(order, is_retry=True)
    early_s = _early_s(order, clock)
    if early_s > 0:
        jobs_queue.hide(delivery.receipt_handle, early_s, delivery.queue)
        return DeliveryResult(delivery.message_id, keep=True, order=order)
    try:
        result = sync(order)
        follow_up(order, result, jobs_queue, clock, jitter)
    except Exception:
        if delivery.received >= DELIVERIES_MAX:
            with suppress(Exception):  # The user's next reconciliation finds the job.
                fail_job(order, delivery.received)
        delay_s = own_failure_delay_s(delivery.received, jitter())
        jobs_queue.hide(delivery.receipt_handle, delay_s, delivery.queue)
        raise
    # The message is deleted only now, after its follow-up is in the queue.
    return DeliveryResult(delivery.message_id, keep=False, order=order, result=result)


def follow_up(
    order: Order, result: SyncResult, jobs_queue: JobsQueue, clock: Clock, jitter: Callable[[], float]
) -> None:
    """Queue the retry or the rest of an order that was carried out, if there is one."""
    if result.retry_in_s is not None:
        wait_s = deferral_s(order.deferrals, jitter(), result.retry_in_s)
        delay_s = min(wait_s, queue.DELAY_S_MAX)
        until = clock.now() + timedelta(seconds=wait_s) if wait_s > delay_s else None
        deferrals = order.deferrals + result.tried
        deferred = replace(result.rest or order, deferrals=deferrals, not_before=until, is_retry=True)
        jobs_queue.send([deferred], delay_s)
    elif result.rest is not None:
        jobs_queue.send([replace(result.rest, deferrals=0, not_before=None)])


def deferral_s(deferrals: int, spread: float, asked_s: float) -> int:
    """
    The delay before an order is retried that was deferred `deferrals` times before.

    The provider's own delay, 0 if it named none, is a lower bound. The spread is added on top.
    """
    half_s = min(_DEFER_S_MIN * 2**deferrals, _DEFER_S_MAX) / 2
    return int(min(max(half_s, asked_s) + _share(spread) * half_s, WAIT_S_MAX))


def own_failure_delay_s(received: int, spread: float) -> int:
    """How long a message is hidden whose order failed in this service for the `received`th time."""
    half_s = min(_OWN_S_MIN * 4 ** (received - 1), _OWN_S_MAX) / 2
    return int(half_s + _share(spread) * half_s)


def _early_s(order: Order, clock: Clock) -> int:
    if order.not_before is None:
        return 0
    return min(int((order.not_before - clock.now()).total_seconds()), WAIT_S_MAX)


def _share(spread: float) -> float:
    assert 0.0 <= spread < 1.0  # noqa: S101 - only a bug can break it.
    return spread
