"""
The processes of a local cloud: started in process groups, recorded in a file, ended together.

With the file, `make down` can end them after the terminal that started them was closed. The system reuses
process ids. So the file records the start time too, and a process is ended only if its start time matches.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bg_ingest.clock import Clock, SystemClock
from local.errors import CannotStart

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_TERMINATE_S_MAX = 60.0  # The emulated AWS stores its tables meanwhile.
_CHECK_EVERY_S = 0.05
_PROC = Path("/proc")  # Only Linux has it.


@dataclass(frozen=True, slots=True)
class StartedProcess:
    """A started process, the leader of its own process group."""

    name: str
    pid: int
    started: str  # As the system prints it; empty if the process had ended before it was read.

    def is_alive(self) -> bool:
        """Whether this process still runs, and not another one with the same id."""
        return bool(self.started) and _started(self.pid) == self.started


class Processes:
    """The processes recorded in one state folder."""

    def __init__(self, record: Path, clock: Clock | None = None) -> None:
        self._record = record
        self._clock = clock or SystemClock()
        # Children of this program stay in the process table until this program waits for them.
        self._children: list[subprocess.Popen[bytes]] = []

    def start(
        self, name: str, command: Sequence[str], log: Path, environ: Mapping[str, str]
    ) -> StartedProcess:
        """Start a command in a process group of its own, so that its children end with it."""
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
        process = StartedProcess(name, child.pid, _started(child.pid))
        self._save([*self.all(), process])
        return process

    def all(self) -> list[StartedProcess]:
        """Every recorded process, running or not."""
        if not self._record.exists():
            return []
        return [StartedProcess(**entry) for entry in json.loads(self._record.read_text())]

    def alive(self) -> list[StartedProcess]:
        """The recorded processes that still run."""
        for child in self._children:
            child.poll()
        return [process for process in self.all() if process.is_alive()]

    def end(self) -> int:
        """End all processes, first with SIGTERM, then with SIGKILL; return the number that ran."""
        running = self.alive()
        for process in reversed(running):
            _signal_group(process.pid, signal.SIGTERM)
        deadline_s = self._clock.monotonic_s() + _TERMINATE_S_MAX
        while self.alive() and self._clock.monotonic_s() < deadline_s:
            self._clock.sleep(_CHECK_EVERY_S)
        for process in running:
            # This also reaches children, such as the workers of the emulator, that outlive their leader.
            _signal_group(process.pid, signal.SIGKILL)
        for child in self._children:
            child.wait()
        self._children.clear()
        self._record.unlink(missing_ok=True)
        return len(running)

    def _save(self, processes: list[StartedProcess]) -> None:
        self._record.parent.mkdir(parents=True, exist_ok=True)
        self._record.write_text(json.dumps([asdict(process) for process in processes]))


@contextmanager
def uninterrupted() -> Iterator[None]:
    """
    Ignore SIGINT and SIGTERM inside the block, so that a second Ctrl-C does not interrupt the cleanup.

    Signals arrive in the main thread only, so other threads need no protection.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _started(pid: int) -> str:
    if (_PROC / "self").exists():
        return _started_by_proc(pid)
    if not shutil.which("ps"):
        raise CannotStart("The program ps is missing. On Debian and Ubuntu: apt install procps")
    listed = subprocess.run(  # noqa: S603 - the argument is a number.
        ["ps", "-o", "state=,lstart=", "-p", str(pid)],  # noqa: S607 - wherever ps is.
        capture_output=True,
        text=True,
        check=False,
    )
    state, _, started = listed.stdout.strip().partition(" ")
    # A zombie has ended. It is listed until its parent reads its exit code.
    return "" if state.startswith("Z") else started.strip()


def _started_by_proc(pid: int) -> str:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    # The name in parentheses may contain spaces and parentheses. State and start time are fields 3 and 22.
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return  # It has ended already.
