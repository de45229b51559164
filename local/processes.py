"""
The processes of a local cloud: started in groups of their own, remembered in a file, ended together.

The file is what lets `make down` end them after the terminal that started them is gone. A process is ended
only if it is still the one that was started: process ids are used again, so its start time is kept as well.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from bg_ingest.clock import Clock, SystemClock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_GRACE_S_MAX = 5.0
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Process:
    """One started process, the leader of its own group."""

    name: str
    pid: int
    started: str  # As `ps` tells it; empty when it was gone before anyone looked.

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return bool(self.started) and _started(self.pid) == self.started


class Processes:
    """The processes that one state folder knows of."""

    def __init__(self, record: Path, clock: Clock | None = None) -> None:
        self._record = record
        self._clock = clock or SystemClock()
        # Those this very program started. They stay in the process table until they are waited for.
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, command: Sequence[str], log: Path, environ: Mapping[str, str]) -> Process:
        """Start a command in a group of its own, so that its children end with it."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            child = subprocess.Popen(  # noqa: S603 - our own commands.
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environ),
                start_new_session=True,
            )
        self._children.append(child)
        process = Process(name, child.pid, _started(child.pid))
        self._save([*self.all(), process])
        return process

    def all(self) -> list[Process]:
        """Everything started and not yet ended by us."""
        if not self._record.exists():
            return []
        return [Process(**entry) for entry in json.loads(self._record.read_text())]

    def alive(self) -> list[Process]:
        """Those that still run."""
        for child in self._children:
            child.poll()
        return [process for process in self.all() if process.is_alive()]

    def end(self) -> int:
        """End them all, politely and then not; returns how many there were."""
        running = self.alive()
        for process in reversed(running):
            _signal_group(process.pid, signal.SIGTERM)
        deadline_s = self._clock.monotonic_s() + _GRACE_S_MAX
        while self.alive() and self._clock.monotonic_s() < deadline_s:
            self._clock.sleep(_LOOK_EVERY_S)
        for process in running:
            # Also where the leader is gone: the emulator's workers live in its group and may outlast it.
            _signal_group(process.pid, signal.SIGKILL)
        for child in self._children:
            child.wait()
        self._children.clear()
        self._record.unlink(missing_ok=True)
        return len(running)

    def _save(self, processes: list[Process]) -> None:
        self._record.parent.mkdir(parents=True, exist_ok=True)
        self._record.write_text(json.dumps([asdict(process) for process in processes]))


def _started(pid: int) -> str:
    answer = subprocess.run(  # noqa: S603 - a number of ours.
        ["ps", "-o", "state=,lstart=", "-p", str(pid)],  # noqa: S607 - wherever ps is.
        capture_output=True,
        text=True,
        check=False,
    )
    state, _, started = answer.stdout.strip().partition(" ")
    # A zombie has ended; it is listed until whoever started it asks how.
    return "" if state.startswith("Z") else started.strip()


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return  # Gone already, which is what was wanted.
