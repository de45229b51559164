"""Threads of which one moves at a time, and the seed decides which; every I/O step hands the baton back."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock, Thread, current_thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Killed(BaseException):
    """The process ends here; not an Exception, so that no clean-up of ours runs."""


def _taken() -> Lock:
    """A lock that is released to wake whoever waits for it; much quicker than a semaphore."""
    lock = Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class Actor:
    """One invocation of a function."""

    name: str
    run: Callable[[], object]
    ends_at_s: float  # When Lambda ends it, on the monotonic clock.
    doomed: bool = False
    over: bool = False
    broken: BaseException | None = None
    go: Lock = field(default_factory=_taken)


@dataclass
class Baton:
    """Who is alive, and whose turn it is."""

    alive: list[Actor] = field(default_factory=list)
    everybody_in_turn: bool = False  # Nobody is interrupted any more.
    _back: Lock = field(default_factory=_taken)
    _by_thread: dict[Thread, Actor] = field(default_factory=dict)

    def start(self, actor: Actor) -> None:
        """A new actor, who waits for its first turn."""
        thread = Thread(target=self._live, args=(actor,), daemon=True)
        self._by_thread[thread] = actor
        self.alive.append(actor)
        thread.start()

    def turn(self, actor: Actor) -> None:
        """Let one actor move to its next step."""
        actor.go.release()
        self._back.acquire()
        if actor.over:
            self.alive.remove(actor)
        if actor.broken:
            raise actor.broken

    def step(self) -> None:
        """Called by an actor before and after whatever it does to the world."""
        actor = self.moving()
        if actor is None:
            return  # The stage itself is being set.
        if not actor.doomed and not self.everybody_in_turn:
            self._back.release()
            actor.go.acquire()
        if actor.doomed:
            raise Killed

    def moving(self) -> Actor | None:
        """Who moves now."""
        return self._by_thread.get(current_thread())

    def _live(self, actor: Actor) -> None:
        actor.go.acquire()
        try:
            actor.run()
        except Killed:
            pass
        except BaseException as broken:  # noqa: BLE001 - it is raised again where the test can see it.
            actor.broken = broken
        finally:
            actor.over = True
            del self._by_thread[current_thread()]
            self._back.release()
