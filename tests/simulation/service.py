"""The deployed service in virtual time, without AWS.

The real dispatcher, worker handler, engine and client call the simulated Dexcom. Each queue has as many
processes of ten threads as the template says. All share the tables, the breaker and the hourly budget.
"""

from __future__ import annotations

import json
import random
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from bg_ingest.providers.http.quota import QuotaRules
from bg_ingest.sync.dispatching import poll_slots
from bg_ingest.sync.dispatching.dispatch import dispatch
from bg_ingest.sync.dispatching.shard import Shard, serve
from bg_ingest.sync.job import JobStatus
from bg_ingest.sync.job_history import JobHistory
from bg_ingest.sync.orders.queue import JobsQueue, ShardsQueue
from bg_ingest.sync.worker import Delivery, handle_delivery
from dexcom_sim.simulator import SimulatedDexcom
from functions.worker.app import handle
from tests.simulation.cloud import SimulatedQueue
from tests.simulation.virtual_time import VirtualTime
from tests.simulation.world import TICK
from tests.support.engine import Engine
from tests.support.fakes import NOON
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.template_document import concurrency, resource
from tests.support.throttled_dynamo import ThrottledDynamo

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from bg_ingest.sync.worker import DeliveryResult
    from tests.simulation.cloud import SimulatedMessage

INTERVAL_S = 900
TIMEOUT_S = resource("WorkerFunction")["Timeout"]
BATCH = resource("WorkerFunction")["Events"]["Jobs"]["Properties"]["BatchSize"]
QUEUES = ("Jobs", "Polls", "Bulk")


@dataclass
class VirtualContext:
    """The part of Lambda's context that the handler uses."""

    time: VirtualTime
    ends_at_s: float
    aws_request_id: str = "request"

    def get_remaining_time_in_millis(self) -> int:
        """Return the time until Lambda ends the invocation."""
        return int((self.ends_at_s - self.time.monotonic_s()) * 1_000)


@dataclass
class Lane:
    """One queue, and the processes that are free to work on it."""

    queue: SimulatedQueue
    free: list[httpx.Client]


@dataclass
class VirtualSqs:
    """SQS: finds a queue by its URL."""

    queues: dict[str, SimulatedQueue]

    def send_message_batch(self, *, QueueUrl: str, **arguments: Any) -> dict[str, Any]:  # noqa: N803 - boto3's.
        """Send to one queue."""
        return self.queues[QueueUrl].send_message_batch(**arguments)

    def change_message_visibility(self, *, QueueUrl: str, **arguments: Any) -> None:  # noqa: N803 - boto3's.
        """Hide a message of one queue."""
        self.queues[QueueUrl].change_message_visibility(**arguments)


@dataclass
class VirtualService:
    """The service of the template, without AWS."""

    time: VirtualTime = field(default_factory=VirtualTime)
    shards: int = 1  # Of each poll slot.
    seed: int = 1
    processes: dict[str, int] = field(default_factory=lambda: {name: concurrency(name) for name in QUEUES})
    batch: int = BATCH
    quota: QuotaRules = field(default_factory=QuotaRules)

    def __post_init__(self) -> None:
        random.seed(self.seed)  # The client draws its pauses from this generator, so every run is the same.
        self.random = random.Random(self.seed)  # noqa: S311 - every run must be the same.
        self.world = SimulatedDexcom(clock=self.time, upload_delay_s=0)
        memory = MemoryDynamo()
        self.dynamo = ThrottledDynamo(memory, self.random)
        self.engine = Engine(self.world, self.time, quota=self.quota, memory=memory, dynamo=self.dynamo)
        self.lanes = {
            name: Lane(self._queue(), [self.engine.http() for _ in range(count)])
            for name, count in self.processes.items()
        }
        self.shards_queue = self._queue()
        queues = {f"/{name}": lane.queue for name, lane in self.lanes.items()}
        sqs = cast("Any", VirtualSqs(queues | {"/Shards": self.shards_queue}))
        self.jobs_queue = JobsQueue(sqs, "/Jobs", "/Polls", "/Bulk")
        self.send_shards = ShardsQueue(sqs, "/Shards").send

    def _queue(self) -> SimulatedQueue:
        return SimulatedQueue(self.time, lambda: None, self.random, lambda _: None)

    @property
    def messages(self) -> list[SimulatedMessage]:
        """The messages of all queues."""
        return [message for lane in self.lanes.values() for message in lane.queue.messages]

    @property
    def dead(self) -> list[SimulatedMessage]:
        """The dead letters of all queues."""
        return [message for lane in self.lanes.values() for message in lane.queue.dead]

    def run(self, seconds: int) -> None:
        """Run for this time."""
        self.time.start(lambda: self._tick(seconds))
        self.time.start(lambda: self._serve_shards(seconds))
        for name in QUEUES:
            self.time.start(lambda name=name: self._poll(name, seconds))  # type: ignore[misc]  # Bound in this iteration.
        self.time.run()

    def _tick(self, seconds: int) -> None:
        for _ in range(seconds // 60):
            with suppress(ClientError):  # The next tick serves this minute, too.
                dispatch(
                    table=self.engine.users,
                    send=self.send_shards,
                    intervals_s={INTERVAL_S},
                    shards=self.shards,
                    calls_per_hour=self.quota.calls_per_hour,
                    correlation_id=TICK,
                    clock=self.time,
                )
            self.time.sleep(60)

    def _serve_shards(self, seconds: int) -> None:
        for _ in range(seconds):
            while message := self.shards_queue.receive():
                shard = Shard.from_message(json.loads(message.body))
                with suppress(ClientError):  # Otherwise the message is delivered again.
                    serve(shard, table=self.engine.users, send=self.jobs_queue.send, clock=self.time)
                    self.shards_queue.delete(message)
            self.time.sleep(1)

    def _poll(self, name: str, seconds: int) -> None:
        """Lambda's poller of a queue: batches go to free processes."""
        free = self.lanes[name].free
        for _ in range(seconds):
            while free and (batch := self._batch(name)):
                http = free.pop(0)
                self.time.start(lambda http=http, batch=batch: self._invoke(name, http, batch))  # type: ignore[misc]  # Bound in this iteration.
            self.time.sleep(1)

    def _batch(self, name: str) -> list[SimulatedMessage]:
        received = (self.lanes[name].queue.receive() for _ in range(self.batch))
        return [message for message in received if message]

    def _invoke(self, name: str, http: httpx.Client, batch: list[SimulatedMessage]) -> None:
        """Run one invocation of the worker in one process."""
        thread_group = self.time.thread_group(len(batch))

        def one(delivery: Delivery, time_left_s: Any) -> DeliveryResult:
            done: list[DeliveryResult] = []
            thread_group.take_part(
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
                "eventSourceARN": f"arn:aws:sqs:eu-west-1:000000000000:{name}",
                "attributes": {"ApproximateReceiveCount": str(message.received)},
            }
            for message in batch
        ]
        ends_at_s = self.time.monotonic_s() + TIMEOUT_S
        answer = handle({"Records": records}, cast("Any", VirtualContext(self.time, ends_at_s)), one)
        assert self.time.monotonic_s() < ends_at_s, "Lambda would have ended it"
        kept = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for message in batch:
            if str(message.number) not in kept:
                self.lanes[name].queue.delete(message)
        self.lanes[name].free.append(http)

    def minutes_until(self, seat: int) -> int:
        """Return how many minutes after noon the users of this seat are due."""
        return (seat - int(NOON.timestamp()) // 60) % (INTERVAL_S // 60)

    def succeeded_at_s(self, user_id: str) -> list[float]:
        """Return when this user's polls succeeded, in order, in seconds since noon."""
        history = JobHistory(self.engine.stores.jobs, self.engine.stores.states)
        jobs = list(history.newest_first(user_id))[::-1]
        done = (job.finished_at for job in jobs if job.status is JobStatus.SUCCEEDED and job.finished_at)
        return [(at - NOON).total_seconds() for at in done]


def due_together(name: str, minute: int) -> Iterator[str]:
    """Return users of this name that are all polled in this minute of the interval."""
    numbered = map(f"{name}-{{}}".format, count())
    return (
        user_id
        for user_id in numbered
        if poll_slots.poll_slot(user_id, INTERVAL_S) == f"{INTERVAL_S}#{minute}"
    )
