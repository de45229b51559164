"""
A virtual clock of many threads: one runs at a time, and time passes only while all of them wait.

    thread A   ──run──sleep 15 s┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄run──
    thread B             ──run──sleep 2 s┄┄┄run──done
    time       12:00:00         12:00:00    12:00:02       12:00:15

So a slow answer delays only the threads that wait for it. The order does not depend on the scheduler of the
operating system, so every run is the same.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from threading import Lock, Thread
from typing import TYPE_CHECKING

from tests.support.fakes import NOON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime


def _taken() -> Lock:
    lock = Lock()
    lock.acquire()
    return lock


@dataclass
class VirtualTime:
    """The time, and which thread runs."""

    _elapsed_s: float = 0.0
    _waiting: list[tuple[float, int, Lock]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _over: Lock = field(default_factory=_taken)
    _broken: list[BaseException] = field(default_factory=list)

    def now(self) -> datetime:
        """Return the time of day."""
        return NOON + timedelta(seconds=self._elapsed_s)

    def monotonic_s(self) -> float:
        """Return the seconds since noon."""
        return self._elapsed_s

    def sleep(self, wait_s: float) -> None:
        """Let the other threads run until this time has passed."""
        go = self._in_turn(wait_s)
        self._next()
        go.acquire()

    def start(self, deed: Callable[[], object]) -> None:
        """Run this in a thread of its own."""
        go = self._in_turn()
        Thread(target=self._live, args=(deed, go), daemon=True).start()

    def run(self) -> None:
        """Run until all threads have ended."""
        self._next()
        self._over.acquire()
        if self._broken:
            raise self._broken[0]

    def thread_group(self, size: int) -> ThreadGroup:
        """Return a group of threads that the running thread starts and waits for."""
        return ThreadGroup(self, size)

    def _live(self, deed: Callable[[], object], go: Lock) -> None:
        go.acquire()
        try:
            deed()
        except BaseException as broken:  # noqa: BLE001 - raised again in the test's thread.
            self._broken.append(broken)
        self._next()

    def _in_turn(self, wait_s: float = 0.0) -> Lock:
        go = _taken()
        heapq.heappush(self._waiting, (self._elapsed_s + max(wait_s, 0.0), next(self._numbers), go))
        return go

    def _next(self) -> None:
        if not self._waiting or self._broken:
            self._over.release()
            return
        at_s, _, go = heapq.heappop(self._waiting)
        self._elapsed_s = max(self._elapsed_s, at_s)
        go.release()


@dataclass
class ThreadGroup:
    """Threads of a pool, which run in the order of their numbers, regardless of their start."""

    time: VirtualTime
    size: int
    _arrived: dict[int, Lock] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def take_part(self, number: int, deed: Callable[[], object]) -> None:
        """Run this in one of the threads; after the last one the starting thread continues."""
        go = _taken()
        with self._lock:
            self._arrived[number] = go
            all_arrived = len(self._arrived) == self.size
        if all_arrived:
            for _, each in sorted(self._arrived.items()):
                heapq.heappush(self.time._waiting, (self.time.monotonic_s(), next(self.time._numbers), each))  # noqa: SLF001 - part of the same module.
            self.time._next()  # noqa: SLF001 - as above.
        go.acquire()
        try:
            deed()
        finally:
            self.size -= 1
            if self.size:
                self.time._next()  # noqa: SLF001 - as above.
