"""The corrections of the emulated AWS."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

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
code, given, files = sys.argv[1:]
held = [open("/dev/null") for _ in range(int(files))]
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

# The polls of a stream that is asked at these seconds.
RATE = """
import json, sys, types
import emulated_aws
polls, now = [], []
emulated_aws.time = types.SimpleNamespace(monotonic=lambda: now[-1])
streams = emulated_aws.RetryingStreams(lambda: polls.append(now[-1]) is None, None)
for second in json.loads(sys.argv[1]):
    now.append(second)
    polled = streams.poll()
    assert polled == (second in polls)
print(json.dumps(polls))
"""

# Layers with the same content, and with other content under the same name; and a function.
PACKED = """
import json, sys, zipfile
from pathlib import Path
from emulated_aws import UnpackedOnce
folder, found = Path(sys.argv[1]), []
for worker, (archive, text) in enumerate(json.loads(sys.argv[2])):
    target = folder / str(worker) / archive
    target.mkdir(parents=True)
    packed = target.with_name(archive + ".zip")
    with zipfile.ZipFile(packed, "w") as content:
        content.writestr("python/word.txt", text)
    with UnpackedOnce(packed) as opened:
        opened_files = opened.namelist()
        opened.extractall(target)
    said = (target / "python" / "word.txt").read_text()
    found.append([opened_files, said, str(target.resolve().relative_to(folder).parts[0])])
print(json.dumps(found))
"""

# The template, as ministack reads it with the parser of pure Python and with libyaml.
PARSED = """
import json, subprocess, sys
import yaml
if sys.argv[2] == "quick":
    yaml.SafeLoader = yaml.CSafeLoader
from ministack.services.cloudformation import engine
assert issubclass(engine.CfnLoader, yaml.SafeLoader)
print(json.dumps(engine._parse_template(open(sys.argv[1]).read())))
"""

# The concurrency of a queue's mapping with each scaling configuration.
NUMERIC = """
import json, sys
from emulated_aws import NumericConcurrency
def concurrency(mapping, reserved):
    return min((mapping.get("ScalingConfig") or {}).get("MaximumConcurrency") or 5, reserved)
numeric = NumericConcurrency(concurrency)
print(json.dumps([numeric.of(mapping, 9) for mapping in json.loads(sys.argv[1])]))
"""

# Every condition for every item: the answer of ministack, the one here, and whether ministack was asked.
RANGES = """
import json, sys
from ministack.services import dynamodb
from emulated_aws import QuickRanges
conditions, sorts = json.loads(sys.argv[1])
asked = []
def evaluate(*arguments, **named):
    asked.append(arguments)
    return dynamodb._evaluate_condition(*arguments, **named)
ranges, compared = QuickRanges(evaluate), []
values = {":u": {"S": "ada"}, ":a": {"S": "b"}, ":b": {"S": "é"}, ":n": {"N": "1"}, ":m": {"N": "3"}}
for condition in conditions:
    for user in ("ada", "bob"):
        for sort in sorts:
            item = {"pk": {"S": user}, "sk": {"S": sort} if isinstance(sort, str) else {"N": str(sort)}}
            own = dynamodb._evaluate_condition(condition, item, values, {}, slot="KeyConditionExpression")
            before = len(asked)
            here = ranges.holds(condition, item, values, {}, slot="KeyConditionExpression")
            compared.append([own, here, len(asked) > before])
print(json.dumps(compared))
"""

# A worker of a checkout, whose function and layer change while it runs. The deployed copies are others.
LIVE = """
import io, json, sys, types, zipfile
from pathlib import Path
from ministack.core import lambda_runtime
from ministack.services import lambda_svc
from emulated_aws import CompleteLogWorker, SourceWatch, UnpackedOnce, source_folders
checkout = Path(sys.argv[1])
def packed(**files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/") + ".py", text)
    return content.getvalue()
lambda_runtime.zipfile = types.SimpleNamespace(**vars(zipfile) | {"ZipFile": UnpackedOnce})
lambda_svc._resolve_layer_zip = lambda _: packed(python__bg_ingest__words="WORD = 'deployed'")
config = {"Runtime": "python3", "Handler": "app.handler", "Layers": ["layer"]}
config["FunctionName"] = "bg-SayFunction-1"
config["FunctionArn"] = "arn:aws:lambda:eu-west-1:000000000000:function:bg-SayFunction-1"
def worker():
    code = "from bg_ingest.words import WORD\\ndef handler(*_): return 'deployed ' + WORD"
    return CompleteLogWorker(config["FunctionName"], config, packed(app=code))
def said(worker):
    return worker.invoke({}, "request")["result"]
deployed, answers = worker(), []
answers.append(said(deployed))
template = {"Resources": {"SayFunction": {"Properties": {"CodeUri": "functions/say"}}, "Table": {}}}
UnpackedOnce.live = SourceWatch(checkout, source_folders(template, checkout))
UnpackedOnce.shared = UnpackedOnce.shared / "live"
live = worker()
answers.append(said(live))
source = checkout / "functions" / "say" / "app.py"
words = checkout / "layers/core/bg_ingest/words.py"
source.with_name(".#app.py").symlink_to("removed")  # As the lock of an editor.
for file, old, new in ((words, "first", "second"), (source, "says", "tells")):
    file.write_text(file.read_text().replace(old, new))
    UnpackedOnce.live.look()
    answers.append(said(live))
again = live._proc.pid
UnpackedOnce.live.look()
said(live)
answers.append(live._proc.pid == again)
deployed.kill()
live.kill()
answers.append(source.exists())
print(json.dumps(answers))
"""

# A long output that a child of the process continues to append to.
ROTATED = """
import json, os, sys
from pathlib import Path
from emulated_aws import rotate, _OUTPUT_BYTES_MAX
file = Path(sys.argv[1])
output = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
sizes = []
for size in (_OUTPUT_BYTES_MAX, 1):
    os.write(output, bytes(size))
    rotate(file, output)
    sizes.append(file.stat().st_size)
os.write(output, b"next")
print(json.dumps([*sizes, file.read_text(), file.with_suffix(".1.log").stat().st_size - _OUTPUT_BYTES_MAX]))
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
    first, second = _run(DELAYED_READER, HANDLER, "", "0", folder=tmp_path)
    lines = [f"line {number}" for number in range(LINES)]

    # An unfinished line appears with the next complete one.
    assert first == lines
    assert second == ["the end" + lines[0], *lines[1:]]


def test_a_failed_worker_keeps_its_log_lines(tmp_path: Path) -> None:
    """The emulator ends the worker before it reads the log, and an unfinished line is the last one."""
    lines = [f"line {number}" for number in range(LINES)]

    assert _run(DELAYED_READER, HANDLER, "broken", "0", folder=tmp_path) == [[*lines, "the end"]] * 2


def test_a_log_is_read_beside_a_thousand_open_files(tmp_path: Path) -> None:
    """A pipe that is not read would stop its function, which Lambda ends after its timeout."""
    logs = _run(DELAYED_READER, HANDLER, "", "1100", folder=tmp_path)

    assert [len(lines) for lines in logs] == [LINES] * 2


def test_a_partially_failed_stream_batch_is_repeated(tmp_path: Path) -> None:
    """A queue handles partial failures itself, and a direct caller reads the response."""
    answers = [[{"itemIdentifier": "2"}], []]

    assert _run(REPORTED, json.dumps(answers), folder=tmp_path) == [[True, False], [False, False]]


def test_a_stream_is_polled_four_times_a_second(tmp_path: Path) -> None:
    """Hours that are written one after another then share a batch. A poll is repeated after a pause, too."""
    asked = [10, 10.1, 10.2, 10.25, 10.3, 10.6, 20, 20.1]

    assert _run(RATE, json.dumps(asked), folder=tmp_path) == [10, 10.25, 10.6, 20]


def test_workers_share_a_layer_with_the_same_content(tmp_path: Path) -> None:
    """The path of a layer's files is not resolved for each worker; a function is unpacked as it is."""
    archives = [("layer_0", "one"), ("layer_0", "one"), ("layer_1", "two"), ("code", "one")]
    first, same, other, function = _run(PACKED, str(tmp_path), json.dumps(archives), folder=tmp_path)

    assert first == same == [[], "one", "layers"]
    assert other == [[], "two", "layers"]
    assert function == [["python/word.txt"], "one", "3"]


@pytest.mark.integration
@pytest.mark.parametrize("template", ["template.yaml", "monitoring.yaml"])
def test_libyaml_reads_the_same_template(tmp_path: Path, template: str) -> None:
    """The emulated AWS replaces the parser, which must not change what is deployed."""
    slow, quick = (_run(PARSED, str(CHECKOUT / template), how, folder=tmp_path) for how in ("slow", "quick"))

    assert slow == quick
    assert slow["Resources"]


def test_the_concurrency_of_a_queue_is_a_number(tmp_path: Path) -> None:
    """A parameter of the template arrives as text, and ministack compares it with numbers."""
    mappings = [{"ScalingConfig": {"MaximumConcurrency": value}} for value in ("3", 4, "12")] + [{}]

    assert _run(NUMERIC, json.dumps(mappings), folder=tmp_path) == [3, 4, 9, 5]


def test_a_queue_that_gathers_messages_has_one_batch(tmp_path: Path) -> None:
    """AWS waits for more messages; here those that arrive meanwhile are the next batch."""
    scaling = {"ScalingConfig": {"MaximumConcurrency": 4}}
    mappings = [scaling | {"MaximumBatchingWindowInSeconds": seconds} for seconds in (0, 1, 60)]

    assert _run(NUMERIC, json.dumps(mappings), folder=tmp_path) == [4, 1, 1]


def test_a_changed_file_is_live_at_the_next_invocation(tmp_path: Path) -> None:
    """The sources of function and layer replace the deployed copies, and ending a worker keeps them."""
    package, function = tmp_path / "layers" / "core" / "bg_ingest", tmp_path / "functions" / "say"
    for folder in (package, function):
        folder.mkdir(parents=True)
    (package / "words.py").write_text("WORD = 'first'\n")
    (function / "app.py").write_text(
        "from bg_ingest.words import WORD\ndef handler(*_): return 'says ' + WORD\n"
    )

    assert _run(LIVE, str(tmp_path), folder=tmp_path) == [
        "deployed deployed",
        "says first",
        "says second",
        "tells second",
        True,  # Without a change the same process answers.
        True,
    ]


def test_a_long_output_is_rotated(tmp_path: Path) -> None:
    """The file begins again, and what was written is in a second one."""
    assert _run(ROTATED, str(tmp_path / "emulator.log"), folder=tmp_path) == [10_000_000, 0, "next", 1]


def test_a_range_of_a_text_key_is_compared_without_parsing(tmp_path: Path) -> None:
    """The answers are ministack's own, and every other condition is left to it."""
    texts = ["", "a", "b", "ba", "z", "é", "ê", "\U0001f600"]
    quick, others = (
        _run(RANGES, json.dumps([conditions, texts]), folder=tmp_path)
        for conditions in (
            ["pk = :u AND sk BETWEEN :a AND :b"],
            ["pk = :u", "pk = :u AND sk >= :a", "pk = :u AND begins_with(sk, :a)"],
        )
    )
    numbers = _run(RANGES, json.dumps([["pk = :u AND sk BETWEEN :n AND :m"], [0, 1, 2, 4]]), folder=tmp_path)

    assert [own for own, _, _ in quick].count(True) == 4
    assert all(own is here for own, here, _ in (*quick, *others, *numbers))
    assert not any(asked for _, _, asked in quick)
    assert all(asked for _, _, asked in (*others, *numbers))
