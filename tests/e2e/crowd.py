"""Processes that share only AWS and Dexcom, as on Lambda, and start at the same moment."""

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
SPAWN = multiprocessing.get_context("spawn")  # Creates one process, which shares no memory with the others.
_starting_guns: dict[int, Any] = {}


@dataclass(frozen=True, slots=True)
class Shared:
    """The input of a process: the addresses of AWS and Dexcom, and a name that is unique to the test."""

    endpoint: str
    dexcom: str
    users_table: str
    key_id: str
    name: str  # A user or a host of this test only.

    def client(self, service: str) -> Any:
        """Return a client of the emulated AWS with a connection for each thread."""
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
        """Return the users table."""
        return Table(self.client("dynamodb"), self.users_table)


class ProcessGroup:
    """The processes, started once for all tests because starting one is slow."""

    def __init__(self) -> None:
        # A barrier can only be given to a process when it starts.
        guns = {count: SPAWN.Barrier(count * THREADS) for count in (4, PROCESSES_MAX)}
        self._guns = guns
        self._pool = ProcessPoolExecutor(PROCESSES_MAX, SPAWN, _remember, (guns,))

    def run_at_once(self, processes: int, start: Callable[..., Callable[[], Any]], *args: Any) -> list[Any]:
        """Call `start` in each process, then its result in all threads at the same moment.

        Return the answers of all threads; a thread that raised returns its exception.
        """
        self._guns[processes].reset()  # A thread may have failed to reach the barrier in the run before.
        running = [self._pool.submit(_one_process, processes, start, args) for _ in range(processes)]
        return [answer for process in running for answer in process.result()]

    def end(self) -> None:
        """End the processes."""
        self._pool.shutdown()


def _remember(guns: dict[int, Any]) -> None:
    _starting_guns.update(guns)


def _one_process(processes: int, start: Callable[..., Callable[[], Any]], args: Any) -> list[Any]:
    # Every process waits for all others, so each of these tasks runs in a process of its own.
    act = start(*args)

    def one_thread(_: int) -> Any:
        _starting_guns[processes].wait(timeout=WAIT_S_MAX)
        try:
            return act()
        except Exception as error:  # noqa: BLE001 - an exception is returned as the answer.
            return error

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(one_thread, range(THREADS)))
