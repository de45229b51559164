"""
Starts ministack, the emulated AWS, with two corrections of version 1.5.33.

Logs: after a function has answered, ministack waits 5 ms for each further log line. A line that a busy
machine delivers later is missing from the log. A function writes its lines before it answers, so all of them
are in the pipe already. `CompleteLogWorker` therefore reads the pipe until it is empty.

Streams: ministack treats a batch as done even if the function reports failed items, so those items would be
lost. `RetryingStreams` reports such a batch as failed, so ministack delivers the whole batch again. AWS would
repeat only a part of it.

Run it with the Python that has ministack: `.venv-aws/bin/python -P local/emulated_aws.py`.
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

_DRAIN_S_MAX = 5.0  # The limit for reading the rest of the pipe, which usually takes a millisecond.
_CHECK_EVERY_S = 0.001
_CHUNK_BYTES = 65_536


class CompleteLogWorker(lambda_runtime.Worker):  # type: ignore[misc]  # ministack ships no types.
    """A worker whose log is complete when its response is returned."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._reading = threading.Lock()

    def _read_stderr(self) -> None:
        # Waits outside the lock, reads inside it. If a holder of the lock finds no input, it has every line.
        pipe, lines = self._proc.stderr, self._stderr_queue
        partial = b""
        while True:
            select.select([pipe], [], [])
            with self._reading:
                chunk = os.read(pipe.fileno(), _CHUNK_BYTES)
                *complete, partial = (partial + chunk).split(b"\n")
                for line in [*complete, *([partial] if partial and not chunk else [])]:
                    lines.put(line.decode(errors="replace"))
            if not chunk:
                return

    def _drain_stderr_bounded(self, *_: float, **__: float) -> str:
        return self._drain_stderr()

    def _drain_stderr(self) -> str:
        deadline_s = time.monotonic() + _DRAIN_S_MAX  # noqa: TID251 - ministack's environment has no Clock.
        while not self._is_drained() and time.monotonic() < deadline_s:  # noqa: TID251 - as above.
            time.sleep(_CHECK_EVERY_S)  # noqa: TID251 - as above.
        with self._reading:
            log: str = super()._drain_stderr()
        return log

    def _is_drained(self) -> bool:
        process = self._proc
        if process is None:  # The worker was ended after its response; the reader ends with the pipe.
            return self._stderr_thread is None or not self._stderr_thread.is_alive()
        waiting = array.array("i", [0])
        fcntl.ioctl(process.stderr, termios.FIONREAD, waiting)
        return not waiting[0]


class RetryingStreams:
    """ministack's stream poller, with a failed batch wherever a function reports failed items."""

    def __init__(self, poll: Callable[[], bool], execute: Execute) -> None:
        self._poll, self._execute = poll, execute
        self._polling = threading.local()

    def poll(self) -> bool:
        """Poll as ministack does."""
        self._polling.now = True
        try:
            return self._poll()
        finally:
            self._polling.now = False

    def execute(self, function: Any, event: Any) -> Any:
        """Invoke a function. For a stream, a partial failure counts as a failure of the batch."""
        result = self._execute(function, event)
        # A queue and a direct invocation handle a partial failure themselves.
        is_for_a_stream = getattr(self._polling, "now", False)
        return result | {"error": True} if is_for_a_stream and _is_partial(result) else result


def _is_partial(result: Any) -> bool:
    body = result.get("body")
    return isinstance(body, dict) and bool(body.get("batchItemFailures"))


if __name__ == "__main__":
    lambda_runtime.Worker = CompleteLogWorker
    streams = RetryingStreams(lambda_svc._poll_dynamodb_streams, lambda_svc._execute_function)  # noqa: SLF001 - ministack has no public name for it.
    lambda_svc._poll_dynamodb_streams = streams.poll  # noqa: SLF001 - as above.
    lambda_svc._execute_function = streams.execute  # noqa: SLF001 - as above.
    main()
