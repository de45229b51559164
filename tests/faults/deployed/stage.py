"""The deployed stack that faults strike, and the look at all of it that tells whether it has recovered."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from local.deploy import STACK_NAME, function_names
from local.function_logs import function_lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from local.stack import Stack
    from tests.faults.deployed.listening import Listener
    from tests.faults.deployed.people import People, Person
    from tests.faults.deployed.throttling import ThrottlingProxy

_COUNTS = ("", "NotVisible", "Delayed")


@dataclass(frozen=True)
class Stage:
    """Everything a fault needs to strike, and everything that has to be whole afterwards."""

    stack: Stack
    emulator_pid: int
    people: People
    proxy: ThrottlingProxy
    listener: Listener | None  # None where there is no RabbitMQ.

    def order(self, kind: str, **members: Any) -> int:
        """Let something go wrong at the provider; the number to ask about it by."""
        answer = self.people.dexcom.post("/_sim/faults", json={"kind": kind, **members})
        number: int = answer.raise_for_status().json()["id"]
        return number

    def calm(self) -> None:
        """Let nothing go wrong any longer."""
        self.proxy.rate = 0.0
        self.people.dexcom.delete("/_sim/faults").raise_for_status()

    def struck(self, number: int) -> int:
        """How many calls a fault has hit so far."""
        faults = self.people.dexcom.get("/_sim/faults").raise_for_status().json()["faults"]
        hits: int = next(fault["struck"] for fault in faults if fault["id"] == number)
        return hits

    def move_clock(self, hours: float) -> None:
        """Move the provider's time."""
        move = {"advance_s": hours * 3_600}
        self.people.dexcom.post("/_sim/clock", json=move).raise_for_status()

    def calls(self) -> int:
        """How often the provider was called since they were last forgotten."""
        total: int = self.people.dexcom.get("/_sim/calls").raise_for_status().json()["total"]
        return total

    def forget_calls(self) -> None:
        """Count from zero."""
        self.people.dexcom.delete("/_sim/calls").raise_for_status()

    def kill_workers(self) -> int:
        """Kill what carries out orders now: the emulator's own children, known by their folder's name."""
        listed = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid=,command="],  # noqa: S607 - wherever ps is.
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
            with suppress(ProcessLookupError):  # It has just ended by itself.
                os.kill(pid, signal.SIGKILL)
        return len(found)

    def says(self, message: str) -> int:
        """How many lines of the functions say so."""
        return sum(f'"message":"{message}"' in line for line in function_lines(self.stack.emulator))

    def vain_publishes(self) -> int:
        """How many batches of changes got nothing through to a sink."""
        lines = function_lines(self.stack.emulator)
        published = (json.loads(line) for line in lines if '"message":"changes published"' in line)
        return sum(bool(line["trouble"]) and not line["events"] for line in published)

    def is_idle(self) -> bool:
        """No order waits, is under way or is put off, and nobody is being synced."""
        return not self._waiting(self.stack.queue_url) and not self.leases()

    def leases(self) -> int:
        """How many people's syncs have not given their lease back."""
        dynamo = self.stack.emulator.client("dynamodb")
        pages = dynamo.get_paginator("scan").paginate(
            TableName=self.stack.users_table, FilterExpression="attribute_exists(lease_until)"
        )
        return sum(page["Count"] for page in pages)

    def dead(self) -> int:
        """How many dead letters there are, in all queues for them."""
        return sum(self._waiting(url) for url in self._dead_queues)

    def flaws(self, person: Person, due: datetime) -> list[str]:
        """What is wrong with one person; nothing if they are whole."""
        return self.flawed(due, [person]).get(person.user_id, [])

    def flawed(self, due: datetime, people: Sequence[Person] | None = None) -> dict[str, list[str]]:
        """Who is not whole, and why; of everybody unless said otherwise."""
        if self.listener:
            self.listener.hear()
        told = self.listener.told if self.listener else None
        return self.people.flawed(due, told, people)

    def _waiting(self, queue_url: str) -> int:
        names = [f"ApproximateNumberOfMessages{which}" for which in _COUNTS]
        asked = self.stack.emulator.client("sqs").get_queue_attributes(
            QueueUrl=queue_url, AttributeNames=names
        )
        return sum(int(asked["Attributes"][name]) for name in names)

    @cached_property
    def _worker_function(self) -> str:
        return function_names(self.stack.emulator)["WorkerFunction"]

    @cached_property
    def _dead_queues(self) -> list[str]:
        resources = self.stack.emulator.client("cloudformation").describe_stack_resources(
            StackName=STACK_NAME
        )["StackResources"]
        return [
            resource["PhysicalResourceId"]
            for resource in resources
            if resource["ResourceType"] == "AWS::SQS::Queue"
            and resource["LogicalResourceId"].startswith("Dead")
        ]
