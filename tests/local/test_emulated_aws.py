"""What is mended of the emulated AWS, where a busy machine would show it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from local.paths import CHECKOUT, EMULATOR_BIN

if TYPE_CHECKING:
    from pathlib import Path

LINES = 300
# The last lines, an unfinished one among them, go out at the moment of the answer.
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
# Whoever takes the lines from the pipe is held up, as on a busy machine, until well after the answer.
HELD_UP = """
import io, json, sys, threading, zipfile
from emulated_aws import WholeLogWorker
class HeldUp(WholeLogWorker):
    def _drain_stderr_bounded(self, *args, **named):
        threading.Timer(0.4, self._taking.release).start()
        return super()._drain_stderr_bounded(*args, **named)
code, given = sys.argv[1:]
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w") as archive:
    archive.writestr("app.py", code)
config = {"Runtime": "python3", "Handler": "app.handler", "FunctionName": "noisy"}
config["FunctionArn"] = "arn:aws:lambda:eu-west-1:000000000000:function:noisy"
worker, logs = HeldUp("noisy", config, packed.getvalue()), []
for number in range(2):
    worker._taking.acquire()
    logs.append(worker.invoke(given, f"request-{number}")["log"].splitlines())
worker.kill()
print(json.dumps(logs))
"""


# A function that says of its batch what it is given, called by a stream and then by somebody else.
ANSWERED = """
import json, sys
from emulated_aws import StreamsThatListen
def failed(failures):
    heard = []
    streams = StreamsThatListen(
        lambda: heard.append(bool(streams.execute({}, {}).get("error"))),
        lambda function, event: {"body": {"batchItemFailures": failures}},
    )
    streams.look()
    return [*heard, bool(streams.execute({}, {}).get("error"))]
print(json.dumps([failed(failures) for failures in json.loads(sys.argv[1])]))
"""


def _run(code: str, *arguments: str, folder: Path) -> Any:
    """What code of ours prints last, in the emulator's own Python."""
    ran = subprocess.run(  # noqa: S603 - our own code.
        [str(EMULATOR_BIN / "python"), "-c", code, *arguments],
        env={"PYTHONPATH": str(CHECKOUT / "local"), "TMPDIR": str(folder), "STATE_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout.splitlines()[-1])


def test_a_log_is_whole_when_the_answer_is_there(tmp_path: Path) -> None:
    """Each invocation has all its lines, the unfinished one too as far as it came, and none of another's."""
    first, second = _run(HELD_UP, HANDLER, "", folder=tmp_path)
    lines = [f"line {number}" for number in range(LINES)]

    # What is not finished by a line's end shows with the next thing that is.
    assert first == lines
    assert second == ["the end" + lines[0], *lines[1:]]


def test_a_worker_that_is_ended_for_its_failure_leaves_its_lines(tmp_path: Path) -> None:
    """The emulator ends it before it looks at what it wrote; an unfinished line is its last."""
    lines = [f"line {number}" for number in range(LINES)]

    assert _run(HELD_UP, HANDLER, "broken", folder=tmp_path) == [[*lines, "the end"]] * 2


def test_a_streams_batch_that_is_taken_in_part_comes_again(tmp_path: Path) -> None:
    """And no other: a queue keeps what is named by itself, and who invokes a function reads its answer."""
    answers = [[{"itemIdentifier": "2"}], []]

    assert _run(ANSWERED, json.dumps(answers), folder=tmp_path) == [[True, False], [False, False]]
