"""After a worker is killed during a backfill of 90 days, the next worker continues it."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from bg_ingest.accounts.connection import Connections
from bg_ingest.accounts.sealing import DataKeys, Purpose, Sealer
from bg_ingest.accounts.vault import Vault
from bg_ingest.clock import SystemClock, new_id
from bg_ingest.dynamo import Table
from bg_ingest.providers.seam import Endpoint
from bg_ingest.readings.store import ReadingStore
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.jobs import Jobs, enqueue
from bg_ingest.sync.orders.queue import JobsQueue
from bg_ingest.sync.state import SyncStates
from bg_ingest.sync.windows import BACKFILL_WINDOW
from dexcom_sim.simulator import SimulatedDexcom
from local.deploy import function_names
from local.paths import PYTHONPATH
from local.waiting import wait_until
from tests.e2e.at_dexcom import NOBODYS_INTERVAL_S, login
from tests.support.logins import store_tokens
from tests.support.template_document import resource
from tests.support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    import httpx

    from bg_ingest.sync.state import SyncState
    from local.stack import Stack
    from tests.e2e.conftest import Api

pytestmark = [pytest.mark.e2e, pytest.mark.integration]

_USER, _PERSON = "kira", "SandboxUser2"
_EGVS = "/v3/users/self/egvs"
_HISTORY = 3 * BACKFILL_WINDOW


@dataclass
class Workers:
    """The deployed worker's code, environment and tables, with a queue that only this test uses."""

    cloud: Stack

    def __post_init__(self) -> None:
        self.clock = SystemClock()
        self.sqs = self.cloud.emulator.client("sqs")
        dynamodb = self.cloud.emulator.client("dynamodb")
        self.users = Table(dynamodb, self.cloud.users_table)
        self.states = SyncStates(self.users, self.clock)
        self.reading_store = ReadingStore(Table(dynamodb, self.cloud.readings_table), self.clock, 730)
        self.queue_url = self.sqs.create_queue(
            QueueName=f"killed-{uuid4().hex}",
            Attributes={"VisibilityTimeout": str(resource("JobsQueue")["VisibilityTimeout"])},
        )["QueueUrl"]

    def connect(self, dexcom: httpx.Client) -> Order:
        """Connect a user who is not in the schedule, and queue the backfill of 90 days."""
        now, environ = self.clock.now(), self.environ
        kms, key_id = self.cloud.emulator.client("kms"), environ["TOKENS_KEY_ID"]
        sealer = Sealer(DataKeys(kms, key_id, environ["ENVIRONMENT"], self.clock, purpose=Purpose.TOKENS))
        vault = Vault(Connections(self.users, self.clock), sealer, {})
        endpoint = Endpoint("dexcom", "custom")
        store_tokens(vault, _USER, endpoint, login(dexcom, _PERSON), data_from=now - _HISTORY)
        self.states.start_polling(_USER, NOBODYS_INTERVAL_S, now - _HISTORY)
        order = Order(_USER, new_id(now), JobKind.BACKFILL, Trigger.CONNECTION, "killed")
        enqueue(order, jobs=Jobs(self.users, self.clock), send=JobsQueue(self.sqs, self.queue_url).send)
        return order

    @cached_property
    def environ(self) -> dict[str, str]:
        """Return the deployed worker's environment, with this test's queue and the emulated AWS."""
        name = function_names(self.cloud.emulator)["WorkerFunction"]
        function = self.cloud.emulator.client("lambda").get_function_configuration(FunctionName=name)
        return {
            **function["Environment"]["Variables"],
            **self.cloud.emulator.credentials(),
            "JOBS_QUEUE_URL": self.queue_url,
            "PATH": os.defpath,
            "PYTHONPATH": PYTHONPATH,
        }

    @contextmanager
    def start(self) -> Iterator[tuple[subprocess.Popen[str], str]]:
        """Start a worker process; return it with the receipt of the message it received."""
        command = [sys.executable, "-m", "tests.e2e.worker_process", self.queue_url]
        with subprocess.Popen(command, env=self.environ, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own.
            assert process.stdout is not None
            word, receipt = process.stdout.readline().split()
            assert word == "taken"
            yield process, receipt

    def let_time_pass(self, receipt: str) -> None:
        """Expire the lease and make the killed worker's message visible again."""
        self.users.update(
            _USER, "sync", "SET lease_until = :past", {":past": 0}, "attribute_exists(lease_until)"
        )
        self.sqs.change_message_visibility(
            QueueUrl=self.queue_url, ReceiptHandle=receipt, VisibilityTimeout=0
        )

    def stored(self, start: datetime, end: datetime) -> list[int]:
        """Return the seconds of the stored readings, in order."""
        return [int(it.reading.at.timestamp()) for it in self.reading_store.between(_USER, start, end)]

    def state(self) -> SyncState:
        """Return the sync state."""
        state = self.states.get(_USER)
        assert state is not None
        return state


def _measured(start: datetime, end: datetime) -> list[int]:
    """Return the instants this account's sensors measured; the same seed gives the same readings here."""
    world = SimulatedDexcom(upload_delay_s=0)
    start_s, end_s = (math.ceil(at.timestamp()) for at in (start, end))
    arrived = world.archive.uploaded_measurements(world.people[_PERSON], start_s, end_s, world.now_s())
    return [measured.at_s for measured, _ in arrived]


def _windows(dexcom: httpx.Client) -> list[str]:
    """Return the windows that Dexcom answered for this account, newest first.

    A call without an answer is not included.
    """
    calls: list[dict[str, Any]] = dexcom.get("/_sim/calls").json()["recent"]
    return [call["query"] for call in calls if (call["user"], call["path"]) == (_PERSON, _EGVS)]


def test_next_worker_continues_after_a_killed_worker(
    cloud: Stack, caller: Callable[..., Api], dexcom: httpx.Client
) -> None:
    """All readings are stored, and only the unfinished window is fetched twice."""
    workers, kira = Workers(cloud), caller(_USER)
    order, job = workers.connect(dexcom), f"/api/bg/{_USER}/sync/jobs"
    connected_at, before = workers.state().connected_at, len(_windows(dexcom))
    # Longer than every timeout, so the third window is never answered.
    hang = {"kind": "slow_headers", "wait_s": 600, "user": _PERSON, "path": _EGVS, "skip": 2, "times": 1}
    fault = dexcom.post("/_sim/faults", json=hang).json()["id"]

    def hangs() -> bool:
        faults = dexcom.get("/_sim/faults").json()["faults"]
        return any(one["id"] == fault and one["struck"] == 1 for one in faults)

    with workers.start() as (killed, receipt):
        assert wait_until(hangs, WAIT_S_MAX)
        killed.send_signal(signal.SIGKILL)
        assert killed.wait(WAIT_S_MAX) == -signal.SIGKILL
    assert workers.state().backfill.reached == connected_at - 2 * BACKFILL_WINDOW
    assert (
        kira.get(f"{job}/{order.job_id}").json()["status"] == "running"
    )  # The upper limit of the time a worker can have.
    by_the_killed = _windows(dexcom)[: -before or None]
    assert len(by_the_killed) == 2

    workers.let_time_pass(receipt)
    assert kira.get(f"{job}/{order.job_id}").json()["status"] == "queued"
    with workers.start() as (next_one, _):
        assert next_one.wait(WAIT_S_MAX) == 0

    assert kira.get(f"{job}/{order.job_id}").json()["status"] == "succeeded"
    assert workers.state().backfill.done
    # The first worker requested two windows and was killed in the third. The second worker requested the
    # third window and the range that a poll covers. On a slow machine one of its calls may be repeated.
    by_the_next = _windows(dexcom)[: -before - 2]
    assert len(set(by_the_next)) == 2
    assert not set(by_the_next) & set(by_the_killed)
    stored = workers.stored(connected_at - _HISTORY, connected_at)
    assert len(stored) > 7_000
    assert stored == _measured(connected_at - _HISTORY, connected_at)
    assert workers.sqs.receive_message(QueueUrl=workers.queue_url).get("Messages") is None
    dexcom.delete(f"/_sim/faults/{fault}").raise_for_status()
