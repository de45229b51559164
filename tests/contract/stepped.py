"""AWS clients that stop at every step, so that a test decides what happens between two of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tests.support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

Client = TypeVar("Client")


class Crash(BaseException):
    """The process dies here; not an Exception, so that no clean-up of ours runs."""


def crash() -> None:
    """Die."""
    raise Crash


def stepped(client: Client, turn: Callable[[str], None]) -> Client:
    """
    A client whose every call reports `before <operation>` and `after <operation>`.

    What `turn` does there is up to the test: let another actor move, lose an answer, or crash.
    """
    return cast("Client", _Stepped(client, turn))


class _Stepped:
    def __init__(self, client: Any, turn: Callable[[str], None]) -> None:
        self._client = client
        self._turn = turn

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        call = getattr(self._client, operation)

        def one_call(**request: Any) -> Any:
            self._turn(f"before {operation}")
            answer = call(**request)
            self._turn(f"after {operation}")
            return answer

        return one_call


class At:
    """Does something at the nth occurrence of a step, once; remembers all steps."""

    def __init__(self, step: str, deed: Callable[[], object], nth: int = 1) -> None:
        self._step = step
        self._deed = deed
        self._nth = nth
        self.steps: list[str] = []

    def __call__(self, step: str) -> None:
        """Take note, and do it when it is time."""
        self.steps.append(step)
        if step == self._step and self.steps.count(step) == self._nth:
            self._deed()


class HalfWay:
    """Runs something in a thread and holds it at a step until told to go on; only one side ever moves."""

    def __init__(self, step: str, nth: int = 1) -> None:
        self._at = At(step, self._stop, nth)
        self._there = Event()
        self._go_on = Event()
        self._pool = ThreadPoolExecutor(max_workers=1)

    def __call__(self, step: str) -> None:
        """Take note, and stop when it is time."""
        self._at(step)

    def start(self, run: Callable[[], object]) -> None:
        """Run until the step."""
        self._outcome = self._pool.submit(run)
        assert self._there.wait(timeout=WAIT_S_MAX)

    def finish(self) -> object:
        """Let it run to its end; what it returned or raised."""
        self._go_on.set()
        self._pool.shutdown()
        return self._outcome.result()

    def _stop(self) -> None:
        self._there.set()
        assert self._go_on.wait(timeout=WAIT_S_MAX)
