"""
The deployed service in virtual time, without AWS.

The real dispatcher, worker handler, engine and client, with the simulated Dexcom behind them: five processes
of ten threads each, which share the tables, the breaker and the hour's budget.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, cast

from bg_ingest.sync import poll_slots
from bg_ingest.sync.dispatch import dispatch
from bg_ingest.sync.job import JobStatus
from bg_ingest.sync.queue import JobsQueue
from bg_ingest.sync.worker import Delivery, handle_delivery
from dexcom_sim.simulator import SimulatedDexcom
from functions.worker.app import handle
from tests.simulation.cloud import SimulatedQueue
from tests.simulation.virtual_time import VirtualTime
from tests.support.engine import Engine
from tests.support.fakes import NOON
from tests.support.template_document import resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from bg_ingest.sync.worker import DeliveryResult
    from tests.simulation.cloud import Message

INTERVAL_S = 900
TIMEOUT_S = resource("WorkerFunction")["Timeout"]
BATCH = resource("WorkerFunction")["Events"]["Jobs"]["Properties"]["BatchSize"]
PROCESSES = resource("WorkerFunction")["Events"]["Jobs"]["Properties"]["ScalingConfig"]["MaximumConcurrency"]


@dataclass
class Context:
    """As much of Lambda's as the handler needs."""

    time: VirtualTime
    ends_at_s: float
    aws_request_id: str = "request"

    def get_remaining_time_in_millis(self) -> int:
        """Until Lambda would end it."""
        return int((self.ends_at_s - self.time.monotonic_s()) * 1_000)


@dataclass
class Service:
    """The deployed service, but for AWS."""

    time: VirtualTime = field(default_factory=VirtualTime)
    free: list[httpx.Client] = field(default_factory=list)

    def __post_init__(self) -> None:
        random.seed(1)  # The client draws its pauses from there; so every run is the same.
        self.random = random.Random(1)  # noqa: S311 - the same for ever.
        self.world = SimulatedDexcom(clock=self.time, upload_delay_s=0)
        self.engine = Engine(self.world, self.time)
        self.queue = SimulatedQueue(self.time, lambda: None, self.random, lambda _: None)
        self.jobs_queue = JobsQueue(cast("Any", self.queue), "queue")
        self.free += [self.engine.http() for _ in range(PROCESSES)]

    def run(self, seconds: int) -> None:
        """Let that much time pass."""
        self.time.start(lambda: self._tick(seconds))
        self.time.start(lambda: self._poll(seconds))
        self.time.run()

    def _tick(self, seconds: int) -> None:
        for _ in range(seconds // 60):
            dispatch(
                table=self.engine.users,
                send=self.jobs_queue.send,
                intervals_s={INTERVAL_S},
                correlation_id="id",
                clock=self.time,
            )
            self.time.sleep(60)

    def _poll(self, seconds: int) -> None:
        """What Lambda does for a queue: batches to whatever processes are free."""
        for _ in range(seconds):
            while self.free and (batch := self._batch()):
                http = self.free.pop(0)
                self.time.start(lambda http=http, batch=batch: self._invoke(http, batch))  # type: ignore[misc]  # Bound now, not later.
            self.time.sleep(1)

    def _batch(self) -> list[Message]:
        received = (self.queue.receive() for _ in range(BATCH))
        return [message for message in received if message]

    def _invoke(self, http: httpx.Client, batch: list[Message]) -> None:
        """One invocation of the worker in one process."""
        crowd = self.time.crowd(len(batch))

        def one(delivery: Delivery, time_left_s: Any) -> DeliveryResult:
            done: list[DeliveryResult] = []
            crowd.take_part(
                int(delivery.message_id),
                lambda: done.append(
                    handle_delivery(
                        delivery,
                        sync=lambda order: self.engine.sync(order, http, time_left_s),
                        jobs_queue=self.jobs_queue,
                        clock=self.time,
                        jitter=self.random.random,
                    )
                ),
            )
            return done[0]

        records = [
            {
                "messageId": str(message.number),
                "receiptHandle": str(message.number),
                "body": message.body,
                "attributes": {"ApproximateReceiveCount": str(message.received)},
            }
            for message in batch
        ]
        ends_at_s = self.time.monotonic_s() + TIMEOUT_S
        answer = handle({"Records": records}, cast("Any", Context(self.time, ends_at_s)), one)
        assert self.time.monotonic_s() < ends_at_s, "Lambda would have ended it"
        kept = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for message in batch:
            if str(message.number) not in kept:
                self.queue.delete(message)
        self.free.append(http)

    def minutes_until(self, seat: int) -> int:
        """How long after noon those who sit there are due."""
        return (seat - int(NOON.timestamp()) // 60) % (INTERVAL_S // 60)

    def succeeded_at_s(self, user_id: str) -> list[float]:
        """When this user's polls succeeded, in order, counted from noon."""
        jobs = list(self.engine.stores.jobs.newest_first(user_id))[::-1]
        done = (job.finished_at for job in jobs if job.status is JobStatus.SUCCEEDED and job.finished_at)
        return [(at - NOON).total_seconds() for at in done]


def due_together(name: str, minute: int) -> Iterator[str]:
    """Users of that name who are all polled in that minute of the interval."""
    numbered = map(f"{name}-{{}}".format, count())
    return (
        user_id
        for user_id in numbered
        if poll_slots.poll_slot(user_id, INTERVAL_S) == f"{INTERVAL_S}#{minute}"
    )
