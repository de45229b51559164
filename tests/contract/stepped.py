"""AWS clients that stop at every step, so that a test can act between two calls."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tests.support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

Client = TypeVar("Client")


class Crash(BaseException):
    """The process dies here; not an Exception, so that no clean-up code runs."""


def crash() -> None:
    """Raise the crash."""
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
    """An action at the nth occurrence of a step, which is taken once; all steps are recorded."""

    def __init__(self, step: str, action: Callable[[], object], nth: int = 1) -> None:
        self._step = step
        self._action = action
        self._nth = nth
        self.steps: list[str] = []

    def __call__(self, step: str) -> None:
        """Record the step, and take the action if this is its step."""
        self.steps.append(step)
        if step == self._step and self.steps.count(step) == self._nth:
            self._action()


class HalfWay:
    """A thread that pauses at a step until the test resumes it, so that only one side runs at a time."""

    def __init__(self, step: str, nth: int = 1) -> None:
        self._at = At(step, self._stop, nth)
        self._paused = Event()
        self._resumed = Event()
        self._pool = ThreadPoolExecutor(max_workers=1)

    def __call__(self, step: str) -> None:
        """Record the step, and pause if this is the step."""
        self._at(step)

    def start(self, run: Callable[[], object]) -> None:
        """Run until the step."""
        self._outcome = self._pool.submit(run)
        assert self._paused.wait(timeout=WAIT_S_MAX)

    def finish(self) -> object:
        """Resume the thread, and return or raise its result."""
        self._resumed.set()
        self._pool.shutdown()
        return self._outcome.result()

    def _stop(self) -> None:
        self._paused.set()
        assert self._resumed.wait(timeout=WAIT_S_MAX)
