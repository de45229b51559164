"""
Taking a webhook in: once, however often it is sent, and not before its work is safe.

    sender             this process                       inbox           jobs        queue
      |-- id 7 -------->|
      |                 |-- claim 7 for job J ----------> 7: pending J
      |                 |-- keep J ------------------------------------> J: queued
      |                 |-- send J -------------------------------------------------> J
      |                 |-- accept 7 ------------------> 7: accepted J
      |<-- 202 ---------|
      |-- id 7 -------->|-- find 7 --------------------> 7: accepted J
      |<-- 200 ---------|

Where a process dies, and what the sender's next delivery of the same id does about it:

    before `claim`      nothing is known of 7: it is the first
    before `send`       7 is pending, and nothing in the queue: J is sent
    before `accept`     7 is pending, and J in the queue: J is sent again. The worker finds one of the two
                        over, and leaves it; should it do both at once, what they store is stored once
    before the answer   7 is accepted, and J in the queue: 200

Who finds 7 pending cannot tell a process that died from one that is a moment ahead, so it looks again for as
long as that moment may take (PATIENCE_S), and then goes on under the same job. So of many deliveries at once
one is answered 202 and the others 200, and there is one job whatever happens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from bg_ingest.access.audit import AuditOutcome
from bg_ingest.accounts.connection import State
from bg_ingest.sync.job import JobKind, Order, Trigger, new_job_id
from bg_ingest.sync.jobs import enqueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bg_ingest.access.audit import Audit
    from bg_ingest.access.caller_limits import CallerLimit, LimitStatus
    from bg_ingest.accounts.connection import Connections
    from bg_ingest.clock import Clock
    from bg_ingest.sync.jobs import Jobs
    from bg_ingest.sync.windows import Window
    from bg_ingest.webhooks.inbox import Claim, Inbox

# From claim to accept are two writes and a send: a few dozen milliseconds on a good day.
PATIENCE_S = 2.0
_LOOK_EVERY_S = 0.1
_ACTOR = "sender-of-the-webhook"
_ACTION = "POST /api/bg/{userId}/webhook"


class Reception(StrEnum):
    """How a webhook that proved itself was received."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    UNKNOWN = "unknown"  # Nobody is connected by that name.
    LIMITED = "limited"


@dataclass(frozen=True, slots=True)
class WebhookOrder:
    """What a webhook wants: a range fetched, or what it brought stored."""

    window: Window | None = None
    payload: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Received:
    """What the sender is told; a standing only where the webhook counted."""

    reception: Reception
    correlation_id: str
    standing: LimitStatus | None = None


@dataclass(frozen=True, slots=True)
class WebhookDeps:
    """What receiving needs at hand."""

    inbox: Inbox
    connections: Connections
    jobs: Jobs
    audit: Audit
    limit: CallerLimit  # For each user whose data is sent; repetitions do not count.
    send: Callable[[Iterable[Order]], None]
    clock: Clock


def receive(
    deps: WebhookDeps, user_id: str, webhook_id: str, asked: WebhookOrder, correlation_id: str
) -> Received:
    """Take in a webhook whose proof is good."""
    # Made before anything is looked at: what belongs to a person who is erased meanwhile shows that it is
    # from before, and goes with them.
    job_id = new_job_id(deps.clock.now())
    entry = deps.audit.entry(user_id, actor=_ACTOR, action=_ACTION, correlation_id=correlation_id)
    if not _is_connected(deps, user_id):
        return Received(Reception.UNKNOWN, correlation_id)
    known = deps.inbox.find(user_id, webhook_id)
    if known and known.accepted:
        return Received(Reception.DUPLICATE, correlation_id)
    standing = deps.limit.take(user_id)
    if not standing.accepted:
        return Received(Reception.LIMITED, correlation_id, standing)
    claim = _claimed(deps, user_id, webhook_id, job_id, correlation_id)
    if claim.accepted:
        return Received(Reception.DUPLICATE, correlation_id, standing)
    deps.audit.keep(entry)
    _queue(deps, _order(user_id, claim, asked), first=claim.ours)
    deps.inbox.accept(user_id, webhook_id)
    # Should this fail, the entry goes on saying "attempted", which is true.
    deps.audit.complete(entry, AuditOutcome.DONE)
    return Received(Reception.ACCEPTED, claim.correlation_id, standing)


def _is_connected(deps: WebhookDeps, user_id: str) -> bool:
    # Whoever ended their connection said that nothing more is to come in. Whoever has to log in again did
    # not: it is our tokens that are refused.
    connection = deps.connections.get(user_id)
    return connection is not None and connection.state is not State.DISCONNECTED


def _claimed(deps: WebhookDeps, user_id: str, webhook_id: str, job_id: str, correlation_id: str) -> Claim:
    """Ours, or accepted, or pending for longer than a living process would leave it."""
    deadline_s = deps.clock.monotonic_s() + PATIENCE_S
    claim = deps.inbox.claim(user_id, webhook_id, job_id, correlation_id)
    while not (claim.ours or claim.accepted):
        pending_s = (deps.clock.now() - claim.claimed_at).total_seconds()
        if pending_s >= PATIENCE_S or deps.clock.monotonic_s() >= deadline_s:
            break
        deps.clock.sleep(_LOOK_EVERY_S)
        claim = deps.inbox.find(user_id, webhook_id) or claim
    return claim


def _order(user_id: str, claim: Claim, asked: WebhookOrder) -> Order:
    return Order(
        user_id,
        claim.job_id,
        JobKind.INCREMENTAL,
        Trigger.WEBHOOK,
        claim.correlation_id,
        window=asked.window,
        payload=asked.payload,
    )


def _queue(deps: WebhookDeps, order: Order, *, first: bool) -> None:
    known = None if first else deps.jobs.get(order.user_id, order.job_id)
    if known is None:
        enqueue(order, jobs=deps.jobs, send=deps.send)
    elif not known.is_over:  # It may be running: what it has counted so far stays.
        deps.send([order])
