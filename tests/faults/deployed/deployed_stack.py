"""The deployed stack under fault injection, and the checks of its recovery."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bg_ingest.sync.orders.queue import JobsQueue
from local.deploy import STACK_NAME, function_names
from local.function_logs import function_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bg_ingest.sync.job import Order
    from local.stack import Stack
    from tests.faults.deployed.connected_users import ConnectedUser, ConnectedUsers
    from tests.faults.deployed.flaws import Due
    from tests.faults.deployed.listening import Listener
    from tests.faults.deployed.served_site import ServedSite
    from tests.faults.deployed.throttling import ThrottlingProxy

_COUNTS = ("", "NotVisible", "Delayed")


@dataclass(frozen=True)
class DeployedStack:
    """Access to everything that a fault needs and that a check reads."""

    stack: Stack
    emulator_pid: int
    people: ConnectedUsers
    proxy: ThrottlingProxy
    listener: Listener | None  # None without RabbitMQ.
    relays: Sequence[ServedSite]  # The Nightscouts of users who have Dexcom as well,
    own_sites: Sequence[ServedSite]  # and of users who have no other source.

    @property
    def sites(self) -> list[ServedSite]:
        """All Nightscouts."""
        return [*self.relays, *self.own_sites]

    def add_fault(self, kind: str, **members: Any) -> int:
        """Add a fault at the provider and return its number."""
        answer = self.people.dexcom.post("/_sim/faults", json={"kind": kind, **members})
        number: int = answer.raise_for_status().json()["id"]
        return number

    def remove_faults(self) -> None:
        """Remove all faults."""
        self.proxy.rate, self.proxy.keys = 0.0, ()
        self.people.dexcom.delete("/_sim/faults").raise_for_status()
        for site in self.sites:
            site.recover()

    def affected(self, number: int) -> int:
        """Return how many calls a fault has affected so far."""
        faults = self.people.dexcom.get("/_sim/faults").raise_for_status().json()["faults"]
        hits: int = next(fault["struck"] for fault in faults if fault["id"] == number)
        return hits

    def move_clock(self, hours: float) -> None:
        """Move the provider's clock."""
        move = {"advance_s": hours * 3_600}
        self.people.dexcom.post("/_sim/clock", json=move).raise_for_status()

    def calls(self) -> int:
        """Return how many calls the provider got since the last reset."""
        total: int = self.people.dexcom.get("/_sim/calls").raise_for_status().json()["total"]
        return total

    def reset_calls(self) -> None:
        """Reset the provider's count of calls."""
        self.people.dexcom.delete("/_sim/calls").raise_for_status()

    def kill_workers(self) -> int:
        """Kill the worker processes: the children of the emulator with their folder's name."""
        listed = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid=,command="],  # noqa: S607 - the folder of ps differs between systems.
            capture_output=True,
            text=True,
            check=True,
        )
        rows = (line.split(None, 2) for line in listed.stdout.splitlines())
        ours = f"/ministack-lambda-{self._worker_function}-"
        found = [
            int(pid) for pid, parent, command in rows if int(parent) == self.emulator_pid and ours in command
        ]
        for pid in found:
            with suppress(ProcessLookupError):  # The process has just ended by itself.
                os.kill(pid, signal.SIGKILL)
        return len(found)

    def count_in_log(self, message: str) -> int:
        """Return how many log lines of the functions contain this text."""
        return sum(f'"message":"{message}"' in line for line in function_lines(self.stack.emulator))

    def failed_publishes(self) -> int:
        """Return how many batches of changes failed completely at a sink."""
        lines = function_lines(self.stack.emulator)
        published = (json.loads(line) for line in lines if '"message":"changes published"' in line)
        return sum(bool(line["trouble"]) and not line["events"] for line in published)

    def is_idle(self) -> bool:
        """Return whether no order is waiting, running or deferred, and no lease is held."""
        orders = sum(map(self._waiting, self._job_queues))
        # Reconciliations of the next quarter of an hour are delayed shards, and no orders yet.
        shards = sum(self._waiting(url, _COUNTS[:2]) for url in self._queues("Shards"))
        return not orders and not shards and not self.leases()

    def set_visibility(self, seconds: int) -> None:
        """Set after how long the message of a killed worker is delivered again."""
        for url in self._queues("Jobs", "Polls", "Bulk"):
            self.stack.emulator.client("sqs").set_queue_attributes(
                QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds)}
            )

    def fill(self, queue: str, order: Callable[[str], Order], count: int) -> None:
        """Send so many orders to the queue with this name in the template, to all users in turn."""
        (url,) = self._queues(queue)
        users = [person.user_id for person in self.people.all_users]
        orders = (order(users[number % len(users)]) for number in range(count))
        JobsQueue(self.stack.emulator.client("sqs"), url).send(orders)

    def waiting(self, queue: str) -> int:
        """Return how many messages wait in the queue with this name in the template."""
        (url,) = self._queues(queue)
        return self._waiting(url)

    def empty(self, queue: str) -> None:
        """Remove the messages of this queue."""
        (url,) = self._queues(queue)
        self.stack.emulator.client("sqs").purge_queue(QueueUrl=url)

    def leases(self) -> int:
        """Return how many leases are held."""
        dynamo = self.stack.emulator.client("dynamodb")
        pages = dynamo.get_paginator("scan").paginate(
            TableName=self.stack.users_table, FilterExpression="attribute_exists(lease_until)"
        )
        return sum(page["Count"] for page in pages)

    def dead(self) -> int:
        """Return how many messages are in all dead-letter queues."""
        return sum(self._waiting(url) for url in self._dead_queues)

    def flaws(self, person: ConnectedUser, due: Due) -> list[str]:
        """Return the flaws of one user; empty if the data is complete."""
        return self.flawed(due, [person]).get(person.user_id, [])

    def flawed(self, due: Due, people: Sequence[ConnectedUser] | None = None) -> dict[str, list[str]]:
        """Return the flaws of each user with any, for these users or for every user."""
        if self.listener:
            self.listener.receive()
        published = self.listener.published if self.listener else None
        return self.people.flawed(due, published, people)

    def _waiting(self, queue_url: str, counts: Sequence[str] = _COUNTS) -> int:
        names = [f"ApproximateNumberOfMessages{which}" for which in counts]
        asked = self.stack.emulator.client("sqs").get_queue_attributes(
            QueueUrl=queue_url, AttributeNames=names
        )
        return sum(int(asked["Attributes"][name]) for name in names)

    @cached_property
    def _worker_function(self) -> str:
        return function_names(self.stack.emulator)["WorkerFunction"]

    @cached_property
    def _job_queues(self) -> list[str]:
        return self._queues("Jobs", "Polls", "Bulk")

    @cached_property
    def _dead_queues(self) -> list[str]:
        return self._queues("Dead")

    def _queues(self, *names: str) -> list[str]:
        resources = self.stack.emulator.client("cloudformation").describe_stack_resources(
            StackName=STACK_NAME
        )["StackResources"]
        return [
            resource["PhysicalResourceId"]
            for resource in resources
            if resource["ResourceType"] == "AWS::SQS::Queue"
            and resource["LogicalResourceId"].startswith(names)
        ]
