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
    """A program that prints one line."""
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)


def test_missing_java_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The message names the program to install."""
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
def test_an_unusable_java_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str, expected: str
) -> None:
    """An old version is reported, and so is the placeholder that macOS has instead of Java."""
    executable(tmp_path, "javac", says)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert jars.missing() == expected


@pytest.mark.integration
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_dynamodb_local_ends_with_its_starter(end: signal.Signals) -> None:
    """It ends after Ctrl-C and after a kill of the program that started it."""
    if reason := jars.missing():
        pytest.skip(reason)
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
