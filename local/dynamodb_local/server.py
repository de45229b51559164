"""One running DynamoDB Local; it ends with the program that started it, however that ends."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from local.dynamodb_local.jars import FOLDER
from local.ports import HOST
from local.trouble import CannotStart

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

_PROGRAM = Path(__file__).with_name("DynamoDbLocal.java")
_LISTENING = "listening on "
_END_S_MAX = 10


@contextmanager
def running() -> Iterator[str]:
    """Where it answers, for as long as the block runs."""
    # What it says goes to a file: nobody reads a pipe while the tests run, and a full one would stop it.
    with tempfile.TemporaryFile("w+") as trouble:
        server = _start(trouble)
        try:
            yield f"http://{HOST}:{_port(server, trouble)}"
        finally:
            _end(server)


def _start(trouble: IO[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own command.
        ["java", "-Xmx512m", f"-Djava.library.path={FOLDER}", "-cp", f"{FOLDER}/*", str(_PROGRAM)],  # noqa: S607 - wherever Java is.
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=trouble,
        text=True,
        start_new_session=True,  # Ctrl-C is for us; it ends when standard input closes.
    )


def _port(server: subprocess.Popen[str], trouble: IO[str]) -> int:
    for line in server.stdout or ():
        if line.startswith(_LISTENING):
            return int(line.removeprefix(_LISTENING))
    trouble.seek(0)
    raise CannotStart(f"DynamoDB Local did not start: {trouble.read(300).strip() or 'it does not say why'}")


def _end(server: subprocess.Popen[str]) -> None:
    try:
        server.communicate(timeout=_END_S_MAX)  # Closes its standard input.
    except subprocess.TimeoutExpired:
        server.kill()
        server.communicate()
