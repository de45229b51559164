"""One function, one event, without Docker: what `sam local invoke` does for those who have it."""

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
from local.paths import DEFAULT_STATE, State
from local.ports import free_port
from local.progress import Progress
from local.stack import Stack, load
from local.trouble import CannotStart

if TYPE_CHECKING:
    from collections.abc import Iterator


def invoke(function: str, event_file: str) -> int:
    """Run it in the local cloud that is up, or in one of its own."""
    with _running() as stack:
        return invoke_in(stack, function, event_file)


def invoke_in(stack: Stack, function: str, event_file: str) -> int:
    """Run it, print its log to the error output and its answer to the other; 1 if it failed."""
    try:
        event = Path(event_file).read_bytes()
        json.loads(event)
    except (OSError, ValueError) as error:
        raise CannotStart(f"{event_file} is no readable JSON file: {error}") from error
    names = function_names(stack.emulator)
    if function not in names:
        raise CannotStart(f"There is no {function}; there are {', '.join(sorted(names))}.")
    answer = stack.emulator.client("lambda").invoke(
        FunctionName=names[function], Payload=event, LogType="Tail"
    )
    print(base64.b64decode(answer.get("LogResult", "")).decode(), file=sys.stderr)
    print(json.dumps(json.loads(answer["Payload"].read() or b"null"), indent=2))
    return 1 if "FunctionError" in answer else 0


@contextmanager
def _running() -> Iterator[Stack]:
    if DEFAULT_STATE.stack_file.exists():
        yield load(DEFAULT_STATE)
        return
    with tempfile.TemporaryDirectory(prefix="bg-ingest-") as folder:
        print(
            "Nothing is up, so this starts a local cloud of its own ('make up' keeps one).", file=sys.stderr
        )
        # Progress goes where the log goes, so that the answer can be piped; two days of history are enough.
        options = Options(port=free_port(), parameters={"BackfillDaysMax": "2"})
        cloud = Cloud(State(Path(folder)), options, Progress(sys.stderr))
        try:
            yield cloud.start()
        finally:
            cloud.end()
