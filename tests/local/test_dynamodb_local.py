from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from local.dynamodb_local import jars
from local.paths import CHECKOUT
from local.ports import is_taken
from local.waiting import wait_until
from tests.support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from pathlib import Path

_SERVES = """
from local.dynamodb_local.server import running
with running() as endpoint:
    print(endpoint, flush=True)
    input()
"""


def executable(folder: Path, name: str, says: str) -> None:
    """A program that says one thing."""
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)


def test_without_java_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One line that names what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert jars.missing() == "DynamoDB Local needs a Java development kit, 17 or newer, and there is none"


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("javac 11.0.2", "DynamoDB Local needs Java 17 or newer, and this machine's is 11"),
        (
            "No Java runtime present",
            "DynamoDB Local needs a Java development kit, 17 or newer, and there is none",
        ),
    ],
)
def test_the_wrong_java_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str, expected: str
) -> None:
    """An old one, and the stand-in that macOS has for none."""
    executable(tmp_path, "javac", says)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert jars.missing() == expected


@pytest.mark.integration
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_it_ends_with_whoever_started_it(end: signal.Signals) -> None:
    """However they end: Ctrl-C and a kill leave nothing behind."""
    starter = subprocess.Popen(  # noqa: S603 - our own code.
        [sys.executable, "-c", _SERVES],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert starter.stdout
    port = int(starter.stdout.readline().rpartition(":")[2])
    assert is_taken(port)

    starter.send_signal(end)
    starter.communicate(timeout=WAIT_S_MAX)
    assert wait_until(lambda: not is_taken(port), wait_s_max=WAIT_S_MAX)
