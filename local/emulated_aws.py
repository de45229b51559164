"""
Starts ministack, the emulated AWS, with two things of version 1.5.33 mended.

It waits 5 ms for each further line once a function has answered. Lines that a busy machine delivers later
stay behind until the same worker's next invocation, or for ever if there is none. But a function writes its
lines before it answers, so none has to be waited for: all are in the pipe by then.

It takes a stream's batch for done whatever its function says of it, and would lose the rest of one that was
taken in part. Here such a batch fails, and comes again as a whole: more than AWS would show, and no less.

Run by the Python that has ministack: `.venv-aws/bin/python -P local/emulated_aws.py`.
"""

import array
import fcntl
import os
import select
import termios
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.app import main
from ministack.core import lambda_runtime
from ministack.services import lambda_svc

Execute = Callable[[Any, Any], Any]

_TAKEN_S_MAX = 5.0  # Somebody has to read what is in a pipe; here that takes a millisecond.
_LOOK_EVERY_S = 0.001
_CHUNK_BYTES = 65_536


class WholeLogWorker(lambda_runtime.Worker):  # type: ignore[misc]  # It ships no types.
    """A worker whose log is complete when its answer is handed over."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._taking = threading.Lock()

    def _read_stderr(self) -> None:
        # Waits outside the lock, reads inside: whoever has the lock and finds the pipe empty has every line.
        pipe, lines = self._proc.stderr, self._stderr_queue
        unfinished = b""
        while True:
            select.select([pipe], [], [])
            with self._taking:
                chunk = os.read(pipe.fileno(), _CHUNK_BYTES)
                *finished, unfinished = (unfinished + chunk).split(b"\n")
                for line in [*finished, *([unfinished] if unfinished and not chunk else [])]:
                    lines.put(line.decode(errors="replace"))
            if not chunk:
                return

    def _drain_stderr_bounded(self, *_: float, **__: float) -> str:
        return self._drain_stderr()

    def _drain_stderr(self) -> str:
        deadline_s = time.monotonic() + _TAKEN_S_MAX  # noqa: TID251 - ministack's environment has no Clock.
        while not self._all_taken() and time.monotonic() < deadline_s:  # noqa: TID251 - as above.
            time.sleep(_LOOK_EVERY_S)  # noqa: TID251 - as above.
        with self._taking:
            log: str = super()._drain_stderr()
        return log

    def _all_taken(self) -> bool:
        process = self._proc
        if process is None:  # It was ended after its answer; the reader ends with its pipe.
            return self._stderr_thread is None or not self._stderr_thread.is_alive()
        waiting = array.array("i", [0])
        fcntl.ioctl(process.stderr, termios.FIONREAD, waiting)
        return not waiting[0]


class StreamsThatListen:
    """What looks for changes and hands them to functions, and hears which of a batch did not get through."""

    def __init__(self, look: Callable[[], bool], execute: Execute) -> None:
        self._look, self._execute = look, execute
        self._looking = threading.local()

    def look(self) -> bool:
        """Look, as ministack does."""
        self._looking.now = True
        try:
            return self._look()
        finally:
            self._looking.now = False

    def execute(self, function: Any, event: Any) -> Any:
        """Carry a function out; a batch of which it says that some has to come again has failed."""
        result = self._execute(function, event)
        # Queues, and those who invoke a function, hear by themselves.
        for_a_stream = getattr(self._looking, "now", False)
        return result | {"error": True} if for_a_stream and _is_partial(result) else result


def _is_partial(result: Any) -> bool:
    answer = result.get("body")
    return isinstance(answer, dict) and bool(answer.get("batchItemFailures"))


if __name__ == "__main__":
    lambda_runtime.Worker = WholeLogWorker
    streams = StreamsThatListen(lambda_svc._poll_dynamodb_streams, lambda_svc._execute_function)  # noqa: SLF001 - where it is.
    lambda_svc._poll_dynamodb_streams = streams.look  # noqa: SLF001 - as above.
    lambda_svc._execute_function = streams.execute  # noqa: SLF001 - as above.
    main()
