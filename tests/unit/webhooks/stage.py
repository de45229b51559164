"""A connected user, a sender of webhooks, and a worker that runs the queued orders."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bg_ingest.access.audit import Audit
from bg_ingest.access.caller_limits import CallerLimit, LimitPolicy
from bg_ingest.accounts.connection import Connections
from bg_ingest.accounts.sealing import MessageSeals, Purpose
from bg_ingest.dynamo import Table
from bg_ingest.providers.seam import Endpoint
from bg_ingest.sync.jobs import Jobs
from bg_ingest.sync.orders.pushed_records import store_pushed
from bg_ingest.sync.orders.queue import pack
from bg_ingest.webhooks.receive import Inbox, Received, WebhookDeps, WebhookRequest, receive
from tests.contract.stepped import stepped
from tests.support.fake_kms import fake_sealer
from tests.support.fakes import NOON
from tests.support.providers import only_parses
from tests.unit.sync.stage import SyncStage

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bg_ingest.clock import Clock
    from bg_ingest.sync.job import Job, Order, SyncResult

CALLS_MAX = 5


def record(at: datetime, value: Any = 110, **members: Any) -> dict[str, Any]:
    """A record in Dexcom's format."""
    return {
        "systemTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "displayTime": at.strftime("%Y-%m-%dT%H:%M:%S-07:00"),
        "value": value,
        "trend": "flat",
        **members,
    }


def payload(*records: Any, **envelope: Any) -> WebhookRequest:
    """The request of a webhook with these records."""
    return WebhookRequest(payload=pack(json.dumps({"data": {"records": records, **envelope}}).encode()))


ONE_READING = payload(record(NOON))


@dataclass
class WebhookStage(SyncStage):
    """A sync stage that also receives webhooks."""

    endpoint: Endpoint = field(default_factory=lambda: Endpoint("dexcom", "us"))
    queue: list[Order] = field(default_factory=list)

    def __post_init__(self) -> None:
        """The worker opens what any receiving process has sealed."""
        super().__post_init__()
        self.sealer = fake_sealer(self.clock, Purpose.MESSAGES)

    def deps(self, turn: Callable[[str], None] = lambda _: None, clock: Clock | None = None) -> WebhookDeps:
        """The dependencies of one receiving process, which calls `turn` at every step."""
        users, intake, now = self._users(turn), self._intake(turn), clock or self.clock

        def send(orders: Any) -> None:
            turn("before send")
            self.queue.extend(orders)
            turn("after send")

        return WebhookDeps(
            inbox=Inbox(intake, now),
            connections=Connections(users, now),
            jobs=Jobs(users, now),
            audit=Audit(users, now, 365),
            limit=CallerLimit(intake, now, LimitPolicy("webhook", CALLS_MAX, 60)),
            seals=lambda: MessageSeals(intake, self.sealer, now),
            send=send,
            clock=now,
        )

    def deliver(
        self, asked: WebhookRequest = ONE_READING, webhook_id: str = "msg_1", deps: WebhookDeps | None = None
    ) -> Received:
        """Deliver a webhook."""
        return receive(deps or self.deps(), "ada", webhook_id, asked, "c")

    def carry_out(self, order: Order) -> SyncResult:
        """Run one order in a worker."""
        if order.payload is None:
            return self.sync(order, self.provider)
        return store_pushed(
            order,
            stores=self.stores,
            connections=self.connections,
            providers=only_parses(),
            open_payload=MessageSeals(self._intake(lambda _: None), self.sealer, self.clock).open,
            clock=self.clock,
        )

    def work(self) -> list[SyncResult]:
        """Run all queued orders in a worker."""
        taken, self.queue = self.queue, []
        return [self.carry_out(order) for order in taken]

    def jobs(self) -> list[Job]:
        """All jobs of the user."""
        return list(self.stores.jobs.newest_first("ada"))

    def _users(self, turn: Callable[[str], None]) -> Table:
        return Table(stepped(self.memory, turn), "users")  # type: ignore[arg-type]  # A stand-in.

    def _intake(self, turn: Callable[[str], None]) -> Table:
        return Table(stepped(self.memory, turn), "intake")  # type: ignore[arg-type]  # A stand-in.
