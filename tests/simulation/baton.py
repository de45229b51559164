"""Cooperative threads: the seed decides which one runs, and every I/O step switches."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock, Thread, current_thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class SimulatedCrash(BaseException):
    """Ends the simulated process; not an Exception, so that no clean-up code of the engine runs."""


def _taken() -> Lock:
    """Return a locked lock; releasing it wakes its waiter, much faster than a semaphore."""
    lock = Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class Actor:
    """One invocation of a function."""

    name: str
    run: Callable[[], object]
    ends_at_s: float  # The time at which Lambda ends it, on the monotonic clock.
    doomed: bool = False
    over: bool = False
    broken: BaseException | None = None
    go: Lock = field(default_factory=_taken)


@dataclass
class Baton:
    """The running actors, and which of them has the turn."""

    alive: list[Actor] = field(default_factory=list)
    without_interruptions: bool = False  # No actor is interrupted any more.
    _back: Lock = field(default_factory=_taken)
    _by_thread: dict[Thread, Actor] = field(default_factory=dict)

    def start(self, actor: Actor) -> None:
        """Start an actor, which waits for its first turn."""
        thread = Thread(target=self._live, args=(actor,), daemon=True)
        self._by_thread[thread] = actor
        self.alive.append(actor)
        thread.start()

    def turn(self, actor: Actor) -> None:
        """Let one actor run to its next step."""
        actor.go.release()
        self._back.acquire()
        if actor.over:
            self.alive.remove(actor)
        if actor.broken:
            raise actor.broken

    def step(self) -> None:
        """Switch; an actor calls this before and after each effect on the world."""
        actor = self.moving()
        if actor is None:
            return  # The world is still being set up.
        if not actor.doomed and not self.without_interruptions:
            self._back.release()
            actor.go.acquire()
        if actor.doomed:
            raise SimulatedCrash

    def moving(self) -> Actor | None:
        """Return the actor that has the turn."""
        return self._by_thread.get(current_thread())

    def _live(self, actor: Actor) -> None:
        actor.go.acquire()
        try:
            actor.run()
        except SimulatedCrash:
            pass
        except BaseException as broken:  # noqa: BLE001 - raised again in the test's thread.
            actor.broken = broken
        finally:
            actor.over = True
            del self._by_thread[current_thread()]
            self._back.release()
