"""The simulator as a process of its own, started by the command of its README."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from local.paths import SIMULATOR

if TYPE_CHECKING:
    from collections.abc import Iterator

README = (SIMULATOR / "README.md").read_text(encoding="utf-8")


def start_command() -> list[str]:
    """The words of the README's `dexcom-sim` line."""
    (line,) = re.findall(r"^dexcom-sim .*$", README, flags=re.MULTILINE)
    return shlex.split(line)


@contextmanager
def served(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its address, on a free port and with no other environment than this checkout's code."""
    # The tests' environment has no installed copy, so the module stands for the command `dexcom-sim`.
    _, *words = start_command()
    command = [sys.executable, "-m", "dexcom_sim", *words, "--port", "0", *arguments]
    with subprocess.Popen(  # noqa: S603 - our own command.
        command,
        env={"PYTHONPATH": str(SIMULATOR)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().split()[-1]
        finally:
            process.terminate()
