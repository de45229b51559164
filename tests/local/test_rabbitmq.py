from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from local.paths import CHECKOUT
from local.ports import is_taken
from local.rabbitmq import server
from local.waiting import wait_until
from tests.support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from pathlib import Path

_SERVES = """
from local.rabbitmq.server import running
with running() as broker:
    print(broker.port, broker.names_port, flush=True)
    input()
"""


def test_missing_rabbitmq_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The message names the package to install; the tests of the sink are skipped."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert "apt install rabbitmq-server" in (server.missing() or "")


@pytest.mark.integration
@pytest.mark.skipif(server.missing() is not None, reason=str(server.missing()))
def test_a_broker_ends_with_its_starter() -> None:
    """The broker and Erlang's name server end after a kill of the program that started them."""
    starter = subprocess.Popen(  # noqa: S603 - our own code.
        [sys.executable, "-c", _SERVES],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout
    ports = [int(port) for port in starter.stdout.readline().split()]
    assert [is_taken(port) for port in ports] == [True, True]

    starter.send_signal(signal.SIGKILL)
    starter.communicate(timeout=WAIT_S_MAX)
    assert wait_until(lambda: not any(map(is_taken, ports)), wait_s_max=WAIT_S_MAX)
