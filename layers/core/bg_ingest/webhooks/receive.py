"""
Receiving a webhook: once, however often it is delivered, and acknowledged only when its work is safe.

    sender             this process                       inbox           jobs        queue
      |-- id 7 -------->|
      |                 |-- claim 7 for job J ----------> 7: pending J
      |                 |-- save J ------------------------------------> J: queued
      |                 |-- send J -------------------------------------------------> J
      |                 |-- accept 7 ------------------> 7: accepted J
      |<-- 202 ---------|
      |-- id 7 -------->|-- find 7 --------------------> 7: accepted J
      |<-- 200 ---------|

If a process dies at one of these steps, the sender's next delivery of the same id continues:

    before `claim`      7 is unknown: it is handled as new
    before `send`       7 is pending and the queue is empty: J is sent
    before `accept` 7 is pending and J is in the queue: J is sent again. The worker finds that one of the two
                        has ended and skips it. If both run at once, what they store is stored once
    before the response 7 is accepted and J is in the queue: 200

If 7 is pending, its process is either dead or a moment ahead. So this process looks
again for PENDING_S_MAX, the time that such a moment can take, and then continues under the same job. One of
many concurrent deliveries is answered 202 and the others 200, and there is one job in every case.

    claimed                          accepted
    |--- PENDING: for this job -------|--- ACCEPTED: its order is in the queue ---> expires after KEPT
         after a crash the next delivery   a delivery is a duplicate
         continues, under the same job
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from bg_ingest.access.audit import AuditOutcome
from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.clock import new_id
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.jobs import enqueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bg_ingest.access.audit import Audit
    from bg_ingest.access.caller_limits import CallerLimit, LimitStatus
    from bg_ingest.accounts.connection import Connections
    from bg_ingest.accounts.sealing import MessageSeals
    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table
    from bg_ingest.sync.jobs import Jobs
    from bg_ingest.sync.windows import Window


PREFIX = "inbox#"
# Twice as long as a sender retries by the schedule of Standard Webhooks (75 hours).
KEPT = timedelta(days=7)
# Between claim and accept are two writes and a send: normally less than a tenth of a second.
PENDING_S_MAX = 2.0
_POLL_S = 0.1
_ACTOR = "sender-of-the-webhook"
_ACTION = "POST /api/bg/{userId}/webhook"


@dataclass(frozen=True, slots=True)
class Claim:
    """What is stored of one webhook; `ours` if this call stored it."""

    job_id: str
    correlation_id: str
    claimed_at: datetime
    accepted: bool = False
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Inbox:
    """The inbox items, in the intake table."""

    table: Table
    clock: Clock

    def find(self, user_id: str, webhook_id: str) -> Claim | None:
        """The claim of a webhook that was received before."""
        item = self.table.get(user_id, PREFIX + webhook_id)
        if item is None or item["expires_at"] <= self.clock.now().timestamp():
            return None
        return _claim_from_item(item, ours=False)

    def claim(self, user_id: str, webhook_id: str, job_id: str, correlation_id: str) -> Claim:
        """Claim a webhook for this job, unless it is claimed; of concurrent calls one succeeds."""
        now = self.clock.now()
        item: Item = {
            "pk": user_id,
            "sk": PREFIX + webhook_id,
            "job_id": job_id,
            "correlation_id": correlation_id,
            "claimed_at_ms": int(now.timestamp() * 1000),
            "accepted": False,
            "expires_at": int((now + KEPT).timestamp()),
        }
        unknown = "attribute_not_exists(pk)"
        expired = "expires_at <= :now"  # TTL removes it days later.
        write = self.table.put(item, f"{unknown} OR {expired}", {":now": int(now.timestamp())})
        stored = write.item or item
        return _claim_from_item(item if write.accepted else stored, ours=write.accepted)

    def accept(self, user_id: str, webhook_id: str) -> None:
        """Record that its order is in the queue: from now on each delivery is a duplicate."""
        # An erased user must not come back as half an item.
        self.table.update(
            user_id,
            PREFIX + webhook_id,
            "SET accepted = :yes",
            {":yes": True},
            "attribute_exists(pk)",
        )


def _claim_from_item(item: Item, *, ours: bool) -> Claim:
    return Claim(
        job_id=item["job_id"],
        correlation_id=item["correlation_id"],
        claimed_at=datetime.fromtimestamp(item["claimed_at_ms"] / 1000, UTC),
        accepted=item["accepted"],
        ours=ours,
    )


class Reception(StrEnum):
    """How an authentic webhook was received."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    UNKNOWN = "unknown"  # No connected user has this id.
    LIMITED = "limited"


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """What a webhook asks for: fetch a range, or store its records."""

    window: Window | None = None
    payload: bytes | None = field(default=None, repr=False)  # Packed, and not sealed yet.


@dataclass(frozen=True, slots=True)
class Received:
    """The result for the sender; `limit_status` only where the webhook was counted."""

    reception: Reception
    correlation_id: str
    limit_status: LimitStatus | None = None


@dataclass(frozen=True, slots=True)
class WebhookDeps:
    """The collaborators of this use case."""

    inbox: Inbox
    connections: Connections
    jobs: Jobs
    audit: Audit
    limit: CallerLimit  # Per user; repetitions do not count.
    seals: Callable[[], MessageSeals]
    send: Callable[[Iterable[Order]], None]
    clock: Clock


def receive(
    deps: WebhookDeps, user_id: str, webhook_id: str, request: WebhookRequest, correlation_id: str
) -> Received:
    """Take in an authentic webhook."""
    # The ids are made before anything is read. So data of a user who is erased meanwhile is older than the
    # erasure, and is removed with the rest.
    job_id = new_id(deps.clock.now())
    entry = deps.audit.new_entry(user_id, actor=_ACTOR, action=_ACTION, correlation_id=correlation_id)
    source = _source(deps, user_id)
    if source is None:
        return Received(Reception.UNKNOWN, correlation_id)
    known = deps.inbox.find(user_id, webhook_id)
    if known and known.accepted:
        return Received(Reception.DUPLICATE, correlation_id)
    status = deps.limit.take(user_id)
    if not status.accepted:
        return Received(Reception.LIMITED, correlation_id, status)
    claim = _claim(deps, user_id, webhook_id, job_id, correlation_id)
    if claim.accepted:
        return Received(Reception.DUPLICATE, correlation_id, status)
    deps.audit.save(entry)
    _enqueue(deps, user_id, source, claim, request)
    deps.inbox.accept(user_id, webhook_id)
    # If this write fails, the entry stays "attempted", which is true.
    deps.audit.complete(entry, AuditOutcome.DONE)
    return Received(Reception.ACCEPTED, claim.correlation_id, status)


def _source(deps: WebhookDeps, user_id: str) -> str | None:
    """The source that sends webhooks: the user's own provider before a relay; None if none is connected."""
    # A user who disconnected wants no more data stored. One who has to log in again still does: only our
    # tokens are rejected.
    known = deps.connections.of_user(user_id)
    connected = [each for each in known if each.state is not ConnectionState.DISCONNECTED]
    return min(((each.relays, each.source) for each in connected), default=(False, None))[1]


def _claim(deps: WebhookDeps, user_id: str, webhook_id: str, job_id: str, correlation_id: str) -> Claim:
    """A claim of this process, an accepted one, or one pending for longer than a running process takes."""
    deadline_s = deps.clock.monotonic_s() + PENDING_S_MAX
    claim = deps.inbox.claim(user_id, webhook_id, job_id, correlation_id)
    while not (claim.ours or claim.accepted):
        pending_s = (deps.clock.now() - claim.claimed_at).total_seconds()
        if pending_s >= PENDING_S_MAX or deps.clock.monotonic_s() >= deadline_s:
            break
        deps.clock.sleep(_POLL_S)
        claim = deps.inbox.find(user_id, webhook_id) or claim
    return claim


def _order(deps: WebhookDeps, user_id: str, source: str, claim: Claim, request: WebhookRequest) -> Order:
    return Order(
        user_id,
        claim.job_id,
        JobKind.INCREMENTAL,
        Trigger.WEBHOOK,
        claim.correlation_id,
        window=request.window,
        payload=deps.seals().seal(user_id, request.payload) if request.payload is not None else None,
        source=source,
    )


def _enqueue(deps: WebhookDeps, user_id: str, source: str, claim: Claim, request: WebhookRequest) -> None:
    known = None if claim.ours else deps.jobs.get(user_id, claim.job_id)
    if known is None:
        enqueue(_order(deps, user_id, source, claim, request), jobs=deps.jobs, send=deps.send)
    elif not known.is_over:  # It may be running: its counts so far must stay.
        deps.send([_order(deps, user_id, source, claim, request)])
