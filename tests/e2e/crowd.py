"""Processes that share nothing but an AWS and a Dexcom, as in Lambda, and are let loose at one moment."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from bg_ingest.dynamo import Table
from tests.support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 8
PROCESSES_MAX = 8
SPAWN = multiprocessing.get_context("spawn")  # A process that shares nothing.
_starting_guns: dict[int, Any] = {}


@dataclass(frozen=True, slots=True)
class Shared:
    """What a process is told: where the one AWS and the one Dexcom are, and what is this test's own there."""

    endpoint: str
    dexcom: str
    users_table: str
    key_id: str
    name: str  # A person or a host nobody else uses.

    def client(self, service: str) -> Any:
        """A client of the emulated AWS, with a connection for each thread."""
        return boto3.client(  # type: ignore[call-overload]  # noqa: TID251 - there is no wiring here.
            service,
            endpoint_url=self.endpoint,
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(max_pool_connections=THREADS),
        )

    @property
    def table(self) -> Table:
        """The users table."""
        return Table(self.client("dynamodb"), self.users_table)


class Crowd:
    """The processes, started once for all tests: starting one takes longer than most of what it is asked."""

    def __init__(self) -> None:
        # A barrier can be given to a process while it starts and not later.
        guns = {count: SPAWN.Barrier(count * THREADS) for count in (4, PROCESSES_MAX)}
        self._guns = guns
        self._pool = ProcessPoolExecutor(PROCESSES_MAX, SPAWN, _remember, (guns,))

    def let_loose(self, processes: int, start: Callable[..., Callable[[], Any]], *args: Any) -> list[Any]:
        """
        Have that many processes call `start` once, and what it returns in all their threads, at one moment.

        The answers of all threads; one that raised answers with the exception.
        """
        self._guns[processes].reset()  # Somebody may have failed to come to the one before.
        running = [self._pool.submit(_one_process, processes, start, args) for _ in range(processes)]
        return [answer for process in running for answer in process.result()]

    def end(self) -> None:
        """Send them home."""
        self._pool.shutdown()


def _remember(guns: dict[int, Any]) -> None:
    _starting_guns.update(guns)


def _one_process(processes: int, start: Callable[..., Callable[[], Any]], args: Any) -> list[Any]:
    # Nobody is through before all are there, so each of these runs in a process of its own.
    act = start(*args)

    def one_thread(_: int) -> Any:
        _starting_guns[processes].wait(timeout=WAIT_S_MAX)
        try:
            return act()
        except Exception as error:  # noqa: BLE001 - an answer like any other.
            return error

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(one_thread, range(THREADS)))
