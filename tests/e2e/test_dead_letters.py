"""The dead-letter commands of docs/operations.md, run unchanged."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.clock import SystemClock, new_id
from bg_ingest.sync.job import JobKind, Order, Trigger
from local.deploy import STACK_NAME
from local.function_logs import function_lines
from local.waiting import wait_until
from tests.support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from local.stack import Stack
    from tests.e2e.conftest import Api

pytestmark = [pytest.mark.e2e, pytest.mark.integration]

_CHECKOUT = Path(__file__).parents[2]
_POISON = '{"this is": "no order"}'


class Operator:
    """A shell in which an operator follows the section about dead jobs."""

    def __init__(self, cloud: Stack, folder: Path) -> None:
        text = (_CHECKOUT / "docs" / "operations.md").read_text()
        section = text.partition("\n### Dead jobs\n")[2].partition("\n### ")[0]
        blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", section, re.MULTILINE | re.DOTALL)
        names, self.count, self.look, self.put_back, self.take, self.delete = blocks
        assert "stack=bg-ingest-prod\n" in names
        command = folder / "aws"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).parent / "aws.py"}" "$@"\n')
        command.chmod(0o755)
        self._environ = {**cloud.emulator.credentials(), "PATH": f"{folder}:{os.defpath}"}
        # Variables that the first step sets stay in the shell for the other steps.
        found = self.run(names.replace("bg-ingest-prod", STACK_NAME), 'echo "$dead $dead_arn"')
        self._environ |= dict(zip(("dead", "dead_arn"), found.split(), strict=True))

    def run(self, *steps: str) -> str:
        """Run these steps in one shell and return their output."""
        done = subprocess.run(  # noqa: S603 - our own documents.
            ["/bin/sh", "-eu", "-c", "\n".join(steps)],
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def _times_received_first(cloud: Stack) -> int:
    """Return how often the worker received a new message that it cannot read."""
    lines = (json.loads(line) for line in function_lines(cloud.emulator) if "message unreadable" in line)
    return sum(line["received"] == 1 for line in lines)


def test_the_documented_redrive_requeues_dead_jobs(cloud: Stack, demo_user: Api, tmp_path: Path) -> None:
    """A poison message becomes a dead letter, the alarm fires, and the redrive returns all messages.

    The redrive completes the orders that can succeed now. The poison message fails again and is deleted.
    """
    operator, sqs = Operator(cloud, tmp_path), cloud.emulator.client("sqs")

    def dead() -> int:
        """Return the value that CloudWatch gets as ApproximateNumberOfMessagesVisible."""
        name = "ApproximateNumberOfMessages"
        return int(
            sqs.get_queue_attributes(QueueUrl=cloud.dead_queue_url, AttributeNames=[name])["Attributes"][name]
        )

    assert dead() == 0
    sqs.send_message(QueueUrl=cloud.queue_url, MessageBody=_POISON)
    assert wait_until(lambda: dead() == 1, WAIT_S_MAX)
    assert operator.run(operator.count, operator.look) == f"1\n{_POISON}"
    assert dead() == 1
    met = _times_received_first(cloud)

    # An order that failed because of a fault that has since been repaired.
    order = Order("demo", new_id(SystemClock().now()), JobKind.RECONCILE, Trigger.API, "mended")
    sqs.send_message(QueueUrl=cloud.dead_queue_url, MessageBody=json.dumps(order.as_message()))
    operator.run(operator.put_back)

    def status() -> str:
        job: dict[str, Any] = demo_user.get(f"/api/bg/demo/sync/jobs/{order.job_id}").json()
        return str(job["status"])

    assert wait_until(lambda: status() == "succeeded", WAIT_S_MAX)
    assert wait_until(lambda: dead() == 1, WAIT_S_MAX)
    assert _times_received_first(cloud) == met + 1
    assert (operator.run(operator.take, operator.delete), dead()) == (_POISON, 0)
