"""Invokes one function with one event, like `sam local invoke` but without Docker."""

from __future__ import annotations

import base64
import json
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from local.cloud import Cloud, Options
from local.deploy import function_names
from local.errors import CannotStart
from local.paths import DEFAULT_STATE, StateFolder
from local.ports import free_port
from local.progress import Progress
from local.stack import Stack, load

if TYPE_CHECKING:
    from collections.abc import Iterator


def invoke(function: str, event_file: str) -> int:
    """Invoke a function in the running local cloud, or in a temporary one."""
    with _running() as stack:
        return invoke_in(stack, function, event_file)


def invoke_in(stack: Stack, function: str, event_file: str) -> int:
    """Invoke it; print its log to stderr and its response to stdout; return 1 if it failed."""
    try:
        event = Path(event_file).read_bytes()
        json.loads(event)
    except (OSError, ValueError) as error:
        raise CannotStart(f"{event_file} is not a readable JSON file: {error}") from error
    names = function_names(stack.emulator)
    if function not in names:
        raise CannotStart(f"There is no function {function}. The functions are {', '.join(sorted(names))}.")
    response = stack.emulator.client("lambda").invoke(
        FunctionName=names[function], Payload=event, LogType="Tail"
    )
    print(base64.b64decode(response.get("LogResult", "")).decode(), file=sys.stderr)
    print(json.dumps(json.loads(response["Payload"].read() or b"null"), indent=2))
    return 1 if "FunctionError" in response else 0


@contextmanager
def _running() -> Iterator[Stack]:
    if DEFAULT_STATE.stack_file.exists():
        yield load(DEFAULT_STATE)
        return
    with tempfile.TemporaryDirectory(prefix="bg-ingest-") as folder:
        print(
            "No local cloud is running, so this starts a temporary one ('make up' starts one that stays).",
            file=sys.stderr,
        )
        # Progress goes to stderr like the log, so that the response on stdout can be piped.
        options = Options(port=free_port(), parameters={"BackfillDaysMax": "2"})
        cloud = Cloud(StateFolder(Path(folder)), options, Progress(sys.stderr))
        try:
            yield cloud.start()
        finally:
            cloud.end()
