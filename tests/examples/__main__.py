"""
Run the shell examples of README and docs against the local cloud of this checkout, as a reader would.

    make up DETACH=1
    python -m tests.examples

Each document runs in one shell. Every command must succeed and show something.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bg_ingest.clock import SystemClock
from local.paths import CHECKOUT, DEFAULT_STATE
from local.stack import load
from tests.examples.blocks import ExampleCommand, commands, complaint

if TYPE_CHECKING:
    from pathlib import Path

_END = "--- end of the output:"
# `make up` and `make test` are what CI runs besides. The examples of operations.md need an AWS account or
# Docker, and those of the simulators have a test of their own.
_DOCUMENTS = ("README.md", "docs/api.md")
_ELSEWHERE = ("make up", "make test")
_DATA_S_MAX = 30.0


class Shell:
    """A shell that runs one command after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["/bin/bash"],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> tuple[str, int]:
        """Run one command; return its output and its exit code."""
        assert self._process.stdin and self._process.stdout  # noqa: PT018 - both are pipes.
        self._process.stdin.write(f"{command}\nprintf '\\n%s %s\\n' '{_END}' $?\n")
        self._process.stdin.flush()
        lines: list[str] = []
        for line in self._process.stdout:
            if line.startswith(_END):
                return "".join(lines).removesuffix("\n"), int(line.removeprefix(_END))
            lines.append(line)
        return "".join(lines), self._process.wait()

    def close(self) -> None:
        """End the shell."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def failures(document: Path, port: int) -> list[str]:
    """Run the examples of one document; return the commands that showed no success."""
    shell, failed = Shell(), []
    members: dict[str, object] = {}
    for command in commands(document.read_text().replace("127.0.0.1:5001", f"127.0.0.1:{port}")):
        if command.text.startswith(_ELSEWHERE):
            continue
        output, reason = _run(command, members, shell)
        _say(f"{'FAILED' if reason else 'ok    '} {document.name}: {command.text}")
        if reason:
            failed.append(f"{document.name}: {command.text}\n  {reason}: {output[:500]}")
        members |= _members(output)
    shell.close()
    return failed


def _run(command: ExampleCommand, members: dict[str, object], shell: Shell) -> tuple[str, str | None]:
    """Run a command; one that reads waits for data, as a reader would."""
    clock = SystemClock()
    deadline_s = clock.monotonic_s() + (_DATA_S_MAX if command.may_repeat else 0.0)
    while True:
        output, exit_code = shell.run(command.filled(members))
        reason = _reason(command, output, exit_code, shell)
        if reason is None or clock.monotonic_s() >= deadline_s:
            return output, reason
        clock.sleep(1.0)


def _reason(command: ExampleCommand, output: str, exit_code: int, shell: Shell) -> str | None:
    if command.shows:
        return complaint(output, exit_code)
    if command.variable:
        return complaint(shell.run(f'echo "${command.variable}"')[0], exit_code)
    return f"exit code {exit_code}" if exit_code else None


def _members(output: str) -> dict[str, object]:
    try:
        document = json.loads(output)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run all examples; return 1 if one failed."""
    port = urlsplit(load(DEFAULT_STATE).api).port or 0
    failed = [each for name in _DOCUMENTS for each in failures(CHECKOUT / name, port)]
    _say("\n".join(["", *failed]) if failed else "\nEvery example shows something.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
