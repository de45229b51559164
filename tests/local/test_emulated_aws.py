"""The corrections of the emulated AWS."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from local.paths import CHECKOUT, EMULATOR_BIN

if TYPE_CHECKING:
    from pathlib import Path

LINES = 300
# It writes its last lines, one of them unfinished, when it answers.
HANDLER = f"""
import sys
def handler(event, context):
    for number in range({LINES}):
        print("line", number)
    print("the end", end="")
    sys.stdout.flush()
    if event:
        raise ValueError(event)
"""
# The thread that reads the pipe is delayed until after the response, as on a busy machine.
DELAYED_READER = """
import io, json, sys, threading, zipfile
from emulated_aws import CompleteLogWorker
class DelayedWorker(CompleteLogWorker):
    def _drain_stderr_bounded(self, *args, **named):
        threading.Timer(0.4, self._reading.release).start()
        return super()._drain_stderr_bounded(*args, **named)
code, given = sys.argv[1:]
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w") as archive:
    archive.writestr("app.py", code)
config = {"Runtime": "python3", "Handler": "app.handler", "FunctionName": "noisy"}
config["FunctionArn"] = "arn:aws:lambda:eu-west-1:000000000000:function:noisy"
worker, logs = DelayedWorker("noisy", config, packed.getvalue()), []
for number in range(2):
    worker._reading.acquire()
    logs.append(worker.invoke(given, f"request-{number}")["log"].splitlines())
worker.kill()
print(json.dumps(logs))
"""


# A function that reports these failures, invoked by a stream and then by another caller.
REPORTED = """
import json, sys
from emulated_aws import RetryingStreams
def failed(failures):
    failures_seen = []
    streams = RetryingStreams(
        lambda: failures_seen.append(bool(streams.execute({}, {}).get("error"))),
        lambda function, event: {"body": {"batchItemFailures": failures}},
    )
    streams.poll()
    return [*failures_seen, bool(streams.execute({}, {}).get("error"))]
print(json.dumps([failed(failures) for failures in json.loads(sys.argv[1])]))
"""


def _run(code: str, *arguments: str, folder: Path) -> Any:
    """Run code with the emulator's Python and return the JSON that it prints last."""
    ran = subprocess.run(  # noqa: S603 - our own code.
        [str(EMULATOR_BIN / "python"), "-c", code, *arguments],
        env={"PYTHONPATH": str(CHECKOUT / "local"), "TMPDIR": str(folder), "STATE_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout.splitlines()[-1])


def test_a_log_is_complete_when_the_response_returns(tmp_path: Path) -> None:
    """Each invocation has all its own lines; an unfinished line belongs to the next one."""
    first, second = _run(DELAYED_READER, HANDLER, "", folder=tmp_path)
    lines = [f"line {number}" for number in range(LINES)]

    # An unfinished line appears with the next complete one.
    assert first == lines
    assert second == ["the end" + lines[0], *lines[1:]]


def test_a_failed_worker_keeps_its_log_lines(tmp_path: Path) -> None:
    """The emulator ends the worker before it reads the log, and an unfinished line is the last one."""
    lines = [f"line {number}" for number in range(LINES)]

    assert _run(DELAYED_READER, HANDLER, "broken", folder=tmp_path) == [[*lines, "the end"]] * 2


def test_a_partially_failed_stream_batch_is_repeated(tmp_path: Path) -> None:
    """A queue handles partial failures itself, and a direct caller reads the response."""
    answers = [[{"itemIdentifier": "2"}], []]

    assert _run(REPORTED, json.dumps(answers), folder=tmp_path) == [[True, False], [False, False]]
