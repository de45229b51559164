"""Runs DynamoDB Local. It ends with the program that started it, also if that program is killed."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from local.dynamodb_local.jars import FOLDER
from local.errors import CannotStart
from local.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

_PROGRAM = Path(__file__).with_name("DynamoDbLocal.java")
_LISTENING = "listening on "
_END_S_MAX = 10


@contextmanager
def running() -> Iterator[str]:
    """Run a server during the block and return its address."""
    # Its stderr goes to a file. A pipe is not read while the tests run, so it would fill up and block it.
    with tempfile.TemporaryFile("w+") as errors:
        server = _start(errors)
        try:
            yield f"http://{HOST}:{_port(server, errors)}"
        finally:
            _end(server)


def _start(errors: IO[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own command.
        ["java", "-Xmx512m", f"-Djava.library.path={FOLDER}", "-cp", f"{FOLDER}/*", str(_PROGRAM)],  # noqa: S607 - wherever Java is.
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        start_new_session=True,  # Ctrl-C does not reach it; it ends when its standard input is closed.
    )


def _port(server: subprocess.Popen[str], errors: IO[str]) -> int:
    for line in server.stdout or ():
        if line.startswith(_LISTENING):
            return int(line.removeprefix(_LISTENING))
    errors.seek(0)
    raise CannotStart(f"DynamoDB Local did not start: {errors.read(300).strip() or 'no reason was printed'}")


def _end(server: subprocess.Popen[str]) -> None:
    try:
        server.communicate(timeout=_END_S_MAX)  # Closes its standard input.
    except subprocess.TimeoutExpired:
        server.kill()
        server.communicate()
