"""
A clock that many threads share: one of them runs at a time, and time passes only while all of them wait.

    thread A   ──run──sleep 15 s┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄run──
    thread B             ──run──sleep 2 s┄┄┄run──done
    time       12:00:00         12:00:00    12:00:02       12:00:15

So a slow answer keeps those waiting who have to wait for it, and nobody else; and since nothing depends on
which thread the operating system likes best, every run is the same.
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
    """The time, and who runs when."""

    _elapsed_s: float = 0.0
    _waiting: list[tuple[float, int, Lock]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _over: Lock = field(default_factory=_taken)
    _broken: list[BaseException] = field(default_factory=list)

    def now(self) -> datetime:
        """The time of day."""
        return NOON + timedelta(seconds=self._elapsed_s)

    def monotonic_s(self) -> float:
        """Seconds since noon."""
        return self._elapsed_s

    def sleep(self, wait_s: float) -> None:
        """Let the others run until then."""
        go = self._in_turn(wait_s)
        self._next()
        go.acquire()

    def start(self, deed: Callable[[], object]) -> None:
        """Run that in a thread of its own, from now on."""
        go = self._in_turn()
        Thread(target=self._live, args=(deed, go), daemon=True).start()

    def run(self) -> None:
        """Until nobody is left."""
        self._next()
        self._over.acquire()
        if self._broken:
            raise self._broken[0]

    def crowd(self, size: int) -> Crowd:
        """So many threads that the one that runs now starts, and waits for."""
        return Crowd(self, size)

    def _live(self, deed: Callable[[], object], go: Lock) -> None:
        go.acquire()
        try:
            deed()
        except BaseException as broken:  # noqa: BLE001 - it is raised again where the test can see it.
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
class Crowd:
    """Threads of a pool: their order is the one they are numbered in, whichever of them starts first."""

    time: VirtualTime
    size: int
    _arrived: dict[int, Lock] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def take_part(self, number: int, deed: Callable[[], object]) -> None:
        """Called in each of the threads; whoever started them has the turn again after the last."""
        go = _taken()
        with self._lock:
            self._arrived[number] = go
            everybody = len(self._arrived) == self.size
        if everybody:
            for _, each in sorted(self._arrived.items()):
                heapq.heappush(self.time._waiting, (self.time.monotonic_s(), next(self.time._numbers), each))  # noqa: SLF001 - a part of it.
            self.time._next()  # noqa: SLF001 - as above.
        go.acquire()
        try:
            deed()
        finally:
            self.size -= 1
            if self.size:
                self.time._next()  # noqa: SLF001 - as above.
