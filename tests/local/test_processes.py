"""The processes of a local cloud: started, recorded, ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local.paths import PYTHONPATH
from local.ports import free_port, is_taken
from local.processes import Processes, StartedProcess, uninterrupted
from local.waiting import wait_until
from tests.support.waiting import WAIT_S_MAX

ENVIRON = {"PATH": os.environ["PATH"]}  # noqa: TID251 - the PATH of the test.
# A parent with a child, like the emulator; both run for a minute.
FAMILY = (
    "import subprocess, sys, time;"
    "c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
)
PRINT_AND_WAIT = "print(c.pid, flush=True); time.sleep(60)"


def _start(processes: Processes, code: str, log: Path) -> StartedProcess:
    process = processes.start("helper", [sys.executable, "-c", code], log, ENVIRON)
    assert wait_until(lambda: log.read_text().strip() != "", WAIT_S_MAX)
    return process


def _runs(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def processes(tmp_path: Path) -> Processes:
    """An empty record of processes."""
    return Processes(tmp_path / "processes.json")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_children_end_with_their_parent(processes: Processes, tmp_path: Path) -> None:
    """`end` ends the started process and its child."""
    started = _start(processes, FAMILY + PRINT_AND_WAIT, tmp_path / "log")
    child = int((tmp_path / "log").read_text())
    assert _runs(started.pid)
    assert _runs(child)

    assert processes.end() == 1
    assert not _runs(started.pid)
    assert wait_until(lambda: not _runs(child), WAIT_S_MAX)
    assert not (tmp_path / "processes.json").exists()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_another_program_can_end_the_processes(processes: Processes, tmp_path: Path) -> None:
    """`make down` knows the processes from the file."""
    started = _start(processes, "import time; print('up', flush=True); time.sleep(60)", tmp_path / "log")

    assert Processes(tmp_path / "processes.json").end() == 1
    assert not processes.alive()
    processes.end()
    assert not _runs(started.pid)


def test_a_reused_process_id_is_not_ended(processes: Processes, tmp_path: Path) -> None:
    """The file has this test's own process id with another start time."""
    stranger = {"name": "emulator", "pid": os.getpid(), "started": "Thu Jan  1 00:00:00 1970"}
    (tmp_path / "processes.json").write_text(json.dumps([stranger]))

    assert processes.alive() == []
    assert processes.end() == 0


def test_ending_no_processes_is_allowed(processes: Processes) -> None:
    """`make down` can be repeated."""
    assert processes.end() == 0


def test_a_port_in_use_is_taken() -> None:
    """A port with a listener is taken, a free port is not."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert is_taken(listener.getsockname()[1])
    assert not is_taken(free_port())


def test_a_process_that_has_ended_is_not_alive(processes: Processes, tmp_path: Path) -> None:
    """This holds before its parent has read its exit code."""
    started = processes.start(
        "helper", [sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log", ENVIRON
    )
    os.kill(started.pid, signal.SIGKILL)
    os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOWAIT)

    assert Processes(tmp_path / "processes.json").alive() == []
    processes.end()


def test_a_second_ctrl_c_does_not_interrupt_the_cleanup() -> None:
    """The block runs to its end, and afterwards Ctrl-C works again."""
    done = []
    # A process in the background ignores Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("cleanup")

        assert done
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


# Starts a process where no program is on the PATH, and asks whether it runs before and after its end.
WITHOUT_PS = """
import sys
from pathlib import Path
from local.processes import Processes
folder, sleep = Path(sys.argv[1]), "import time; time.sleep(60)"
processes = Processes(folder / "processes.json")
processes.start("sleeper", [sys.executable, "-c", sleep], folder / "log", {})
alive = [process.name for process in processes.alive()]
print(alive, processes.end(), processes.alive())
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux works without ps")
def test_processes_are_found_without_ps(tmp_path: Path) -> None:
    """A container may have no ps, and /proc has the same data."""
    ran = subprocess.run(  # noqa: S603 - our own code.
        [sys.executable, "-c", WITHOUT_PS, str(tmp_path)],
        env={"PATH": str(tmp_path), "PYTHONPATH": PYTHONPATH},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout.strip() == "['sleeper'] 1 []"
