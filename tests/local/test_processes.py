"""The local cloud's processes: started together, ended without a trace."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

import pytest

from local.ports import free_port, is_taken
from local.processes import Process, Processes
from local.waiting import wait_until
from tests.support.waiting import WAIT_S_MAX

ENVIRON = {"PATH": os.environ["PATH"]}  # noqa: TID251 - the test's own.
# A parent with a child of its own, as the emulator has; both would run for a minute.
FAMILY = (
    "import subprocess, sys, time;"
    "c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
)
TELL = "print(c.pid, flush=True); time.sleep(60)"


def _start(processes: Processes, code: str, log: Path) -> Process:
    process = processes.start("helper", [sys.executable, "-c", code], log, ENVIRON)
    assert wait_until(lambda: log.read_text().strip() != "", WAIT_S_MAX)
    return process


def _runs(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def processes(tmp_path: Path) -> Processes:
    """Nobody yet."""
    return Processes(tmp_path / "processes.json")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_children_end_with_their_parents(processes: Processes, tmp_path: Path) -> None:
    """Nothing that was started is left, directly or not."""
    started = _start(processes, FAMILY + TELL, tmp_path / "log")
    child = int((tmp_path / "log").read_text())
    assert _runs(started.pid)
    assert _runs(child)

    assert processes.end() == 1
    assert not _runs(started.pid)
    assert wait_until(lambda: not _runs(child), WAIT_S_MAX)
    assert not (tmp_path / "processes.json").exists()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_another_program_can_end_them(processes: Processes, tmp_path: Path) -> None:
    """`make down` knows them from the file alone."""
    started = _start(processes, "import time; print('up', flush=True); time.sleep(60)", tmp_path / "log")

    assert Processes(tmp_path / "processes.json").end() == 1
    assert not processes.alive()
    processes.end()
    assert not _runs(started.pid)


def test_a_number_that_was_used_again_is_left_alone(processes: Processes, tmp_path: Path) -> None:
    """The file remembers this very test's process id with another start: it must not be ended."""
    stranger = {"name": "emulator", "pid": os.getpid(), "started": "Thu Jan  1 00:00:00 1970"}
    (tmp_path / "processes.json").write_text(json.dumps([stranger]))

    assert processes.alive() == []
    assert processes.end() == 0


def test_nothing_to_end_is_no_error(processes: Processes) -> None:
    """`make down` twice."""
    assert processes.end() == 0


def test_a_listener_is_noticed() -> None:
    """A taken port is said to be taken."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert is_taken(listener.getsockname()[1])
    assert not is_taken(free_port())


def test_what_has_ended_is_not_waited_for(processes: Processes, tmp_path: Path) -> None:
    """Also while nobody has asked how it ended, which only the program that started it can do."""
    started = processes.start("helper", [sys.executable, "-c", "input()"], tmp_path / "log", ENVIRON)
    os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOWAIT)

    assert Processes(tmp_path / "processes.json").alive() == []
    processes.end()
