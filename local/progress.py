"""Progress output: one line per step, with its duration."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from bg_ingest.clock import Clock, SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH = 46


class Progress:
    """Prints the name of a step when it starts and its seconds when it ends."""

    def __init__(self, output: TextIO | None = sys.stdout, clock: Clock | None = None) -> None:
        self._output = output  # None: print no progress.
        self._clock = clock or SystemClock()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Print a step around the block."""
        started_s = self._clock.monotonic_s()
        self._print(f"  {name} {'.' * (_WIDTH - len(name))} ", end="")
        try:
            yield
        except BaseException:
            self._print("failed")
            raise
        self._print(f"{self._clock.monotonic_s() - started_s:5.1f} s")

    def _print(self, text: str, end: str = "\n") -> None:
        if self._output:
            print(text, end=end, file=self._output, flush=True)
