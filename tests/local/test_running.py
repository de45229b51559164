"""`make up` on a local cloud that runs already."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import replace
from http.server import HTTPServer
from typing import TYPE_CHECKING

import pytest

from local.callers import Callers
from local.cloud import Options
from local.demo import Grant
from local.emulator import Emulator
from local.errors import CannotStart
from local.paths import StateFolder
from local.ports import HOST, free_port
from local.processes import Processes
from local.running import check, fingerprint
from local.stack import Stack
from tests.support.web_server import ANY_PORT, QuietHandler, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPTIONS = Options(port=5001)
ENVIRON = {"PATH": os.environ["PATH"]}  # noqa: TID251 - the PATH of the test.
WAITS = [sys.executable, "-c", "import signal; signal.pause()"]


@contextmanager
def _api(status: int) -> Iterator[str]:
    """A server that answers /ready with this status."""

    class ReadyHandler(QuietHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/ready" else 404)
            self.end_headers()

    with serving(HTTPServer(ANY_PORT, ReadyHandler)) as address:
        yield address


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFolder]:
    """A state folder with two processes that run."""
    folder = StateFolder(tmp_path)
    processes = Processes(folder.processes_file)
    for name in ("emulator", "simulator"):
        processes.start(name, WAITS, folder.logs / f"{name}.log", ENVIRON)
    yield folder
    processes.end()


def _save(state: StateFolder, api: str) -> Stack:
    emulator = Emulator(1)
    stack = Stack(
        api=api,
        dexcom="http://dexcom",
        readings_table="readings",
        users_table="users",
        intake_table="intake",
        queue_url="queue",
        dead_queue_url="dead",
        event_bus="bus",
        exports_bucket="exports",
        demo_user_id="demo",
        demo_token="token",
        grant=Grant("watch-1a2b3c4d5e6f7a8b", "http://page"),
        service_token="token",
        webhook_secret="secret",
        simulated=True,
        emulator=emulator,
        callers=Callers(emulator, "eu-west-1_pool", "person", "local"),
    )
    stack.save(state)
    state.fingerprint.write_text(fingerprint(OPTIONS))
    return stack


def test_a_cloud_that_works_is_returned(state: StateFolder) -> None:
    """All processes run, nothing has changed, and /ready is 200."""
    with _api(200) as api:
        stack = _save(state, api)

        assert check(state, OPTIONS) == stack


def test_a_process_that_has_ended_is_named(state: StateFolder) -> None:
    """The message has its name and the next command."""
    _save(state, "http://unused")
    processes = Processes(state.processes_file)
    simulator = next(process for process in processes.all() if process.name == "simulator")
    os.kill(simulator.pid, signal.SIGKILL)
    os.waitpid(simulator.pid, 0)

    with pytest.raises(CannotStart, match=r"has ended: simulator.*make down"):
        check(state, OPTIONS)


def test_other_options_are_not_ignored(state: StateFolder) -> None:
    """A running cloud on another port is not what was asked for."""
    _save(state, "http://unused")

    with pytest.raises(CannotStart, match="other options"):
        check(state, replace(OPTIONS, port=5021))


def test_a_start_in_progress_is_reported(state: StateFolder) -> None:
    """Processes run, but the addresses are not written yet."""
    with pytest.raises(CannotStart, match="Another start"):
        check(state, OPTIONS)


@pytest.mark.parametrize("answers", [True, False])
def test_a_cloud_that_is_not_ready_is_reported(state: StateFolder, answers: bool) -> None:  # noqa: FBT001 - a parameter of the cases.
    """A 503 of /ready, and no answer at all, are both not ready."""
    with _api(503) as api:
        _save(state, api if answers else f"http://{HOST}:{free_port()}")

        with pytest.raises(CannotStart, match="not ready"):
            check(state, OPTIONS)


def test_a_code_change_changes_the_fingerprint(tmp_path: Path) -> None:
    """An edited file of the core is noticed."""
    (tmp_path / "template.yaml").write_text("Resources: {}\n")
    core = tmp_path / "layers" / "core"
    core.mkdir(parents=True)
    (core / "module.py").write_text("VALUE = 1\n")
    before = fingerprint(OPTIONS, tmp_path)
    (core / "module.py").write_text("VALUE = 2\n")

    assert before != fingerprint(OPTIONS, tmp_path)
