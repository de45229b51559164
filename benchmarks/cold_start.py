"""H1: CPU time of a fresh process until its first answer, as Lambda starts one."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import threading
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from benchmarks.measured import Measured
from benchmarks.tables import environ
from bg_ingest.clock import SystemClock
from local.deploy import build
from local.paths import CHECKOUT
from local.webhook_sender import new_secret, signed_headers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

FIRST_EVENTS = {
    "query": "query_latest",
    "sync": "sync_state",
    "connect": "connect_state",
    "webhook": "webhook_records",
    "site": "site_health",
    "dispatch": "dispatch_shard",
    "worker": "worker_poll",
    "publish": "publish_expired",
    "audit": "audit_revision",
    "insight": "insight_statistics",
    "export": "export_users",
    "exporter": "exporter_slice",
    "erase": "erase_second_look",
    "grants": "grants_list",
    "nightscout": "nightscout_status",
    "status": "status_numbers",
}
# Two functions are built from this folder, one for each sink; the bus exists in every stack.
_NAMED_OTHERWISE = {"publish": "PublishEventBridge"}
CORE_LAYER, EXPORT_LAYER = "CoreLayer", "ExportLayer"
SECTION = "CPU of a cold start, first request included"
BUDGET_MS = 600
# In each round the floor and all functions take turns, so a slow period of the machine affects all of them.
RATIO_SECTION = "CPU of a cold start, divided by the floor's in the same round"
_READERS = {"query", "site"}
_READER_RATIO_MAX, _RATIO_MAX = 1.5, 1.8
_WEBHOOK_SECRET = new_secret()
_FOLDER = CHECKOUT / ".local" / "benchmarks"
BUILT = _FOLDER / "build"
# Only the Lambda runtime client and boto3 are installed there.
_RUNTIME = CHECKOUT / ".venv-runtime" / "bin" / "python"
# Every start includes the runtime client; a failed answer must not be reported as a fast one.
_START = """
import json, sys, time
import awslambdaric.bootstrap
import app
class Context:
    aws_request_id = "benchmark"; function_name = "function"; memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:function"
    def get_remaining_time_in_millis(self): return 110_000
with open(sys.argv[1]) as event:
    answer = app.lambda_handler(json.load(event), Context())
assert not isinstance(answer, dict) or answer.get("statusCode", 200) < 500, answer
assert not isinstance(answer, dict) or not answer.get("batchItemFailures"), answer
print(time.process_time() * 1000)
"""
# Imports of every Python function that uses DynamoDB.
_FLOOR = """
import time
import awslambdaric.bootstrap
import boto3
boto3.client("dynamodb")
print(time.process_time() * 1000)
"""
_COMPILE = "import compileall, sysconfig; compileall.compile_dir(sysconfig.get_path('purelib'), quiet=1)"


def built_layers() -> Path:
    """Build the functions and layers, and return their folder."""
    build(BUILT, _FOLDER / "sam.log")
    return BUILT


def cold_starts(built: Path, endpoint: str, starts: int, events: Mapping[str, str]) -> list[Measured]:
    """Measure functions, each from the built layer as deployed and from one without .pyc files."""
    # The runtime's packages are compiled in both, because only the layer is built by this project.
    subprocess.run([_RUNTIME, "-c", _COMPILE], check=True)  # noqa: S603 - code of this project.
    compiled = built / CORE_LAYER / "python"
    uncompiled = _without_pyc(compiled)
    with other_services() as others:
        variables = environ(endpoint) | others
        floors_ms, times_ms, slow_ms = [], dict[str, list[float]](), dict[str, list[float]]()
        for number in range(starts):
            floors_ms.append(_run_ms([_FLOOR], environ(endpoint)))
            for function, event in events.items():
                own = [_folder(built, function)]
                if function.startswith("export"):
                    own.append(built / EXPORT_LAYER / "python")
                start = partial(_start_ms, own, variables=variables, event=event)
                times_ms.setdefault(function, []).append(start(compiled))
                if number % 3 == 0:
                    slow_ms.setdefault(function, []).append(start(uncompiled))
    return [*_times(times_ms, slow_ms, floors_ms), *_ratios(times_ms, floors_ms)]


def _times(
    times_ms: dict[str, list[float]], slow_ms: dict[str, list[float]], floors_ms: list[float]
) -> Iterator[Measured]:
    for function, found_ms in times_ms.items():
        without_pyc_ms = statistics.median(slow_ms[function])
        yield Measured(SECTION, function, statistics.median(found_ms), "ms", BUDGET_MS, without_pyc_ms)
    yield Measured(SECTION, "without code of this project", statistics.median(floors_ms), "ms")


def _ratios(times_ms: dict[str, list[float]], floors_ms: list[float]) -> Iterator[Measured]:
    for function, found_ms in times_ms.items():
        budget = _READER_RATIO_MAX if function in _READERS else _RATIO_MAX
        ratio = statistics.median(ours / floor for ours, floor in zip(found_ms, floors_ms, strict=True))
        yield Measured(RATIO_SECTION, function, ratio, "times", budget)


def _folder(built: Path, function: str) -> Path:
    return built / f"{_NAMED_OTHERWISE.get(function, function.title())}Function"


class _OtherServices(BaseHTTPRequestHandler):
    """Accepts every event and message, and has an empty bucket; the client reads each answer."""

    def do_GET(self) -> None:
        self._answer(
            "application/xml", b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
        )

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        taken = [{"EventId": str(place)} for place, _ in enumerate(asked.get("Entries", ()))]
        self._answer(
            "application/x-amz-json-1.1", json.dumps({"FailedEntryCount": 0, "Entries": taken}).encode()
        )

    def _answer(self, kind: str, answer: bytes) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def other_services() -> Iterator[dict[str, str]]:
    """Return the environment with which functions use them while the block runs."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _OtherServices) as others:
        threading.Thread(target=others.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{others.server_port}"
        try:
            yield {
                "EVENT_BUS_NAME": "events",
                "AWS_ENDPOINT_URL_EVENTBRIDGE": address,
                "AWS_ENDPOINT_URL_SQS": address,
                "AWS_ENDPOINT_URL_S3": address,
                "EXPORTS_BUCKET": "exports",
                "ERASURES_QUEUE_URL": f"{address}/123456789012/erasures",
            }
        finally:
            others.shutdown()


def _without_pyc(layer: Path) -> Path:
    folder = _FOLDER / "uncompiled"
    shutil.rmtree(folder, ignore_errors=True)
    return shutil.copytree(layer, folder, ignore=shutil.ignore_patterns("__pycache__"))


def _start_ms(own: Sequence[Path], layer: Path, variables: dict[str, str], event: str) -> float:
    variables = variables | {
        "PYTHONPATH": os.pathsep.join(map(str, [*own, layer])),
        "PYTHONDONTWRITEBYTECODE": "1",  # Lambda's folders are read-only.
        "WEBHOOK_SECRETS": _WEBHOOK_SECRET,
    }
    return _run_ms([_START, _signed(CHECKOUT / "events" / f"{event}.json")], variables)


def _run_ms(program: list[str | Path], variables: dict[str, str]) -> float:
    """Return the duration that a program prints, run in a process of its own."""
    done = subprocess.run(  # noqa: S603 - code of this project.
        [_RUNTIME, "-c", *program],
        env=variables,
        cwd=_FOLDER,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode:
        raise RuntimeError(f"a cold start of {program[-1]} failed: {done.stderr[-500:]}")
    return float(done.stdout.splitlines()[-1])


def _signed(file: Path) -> Path:
    """Return the event; a webhook gets a signature that is valid now, or it would be refused at once."""
    event = json.loads(file.read_text())
    if "webhook-signature" not in event.get("headers", {}):
        return file
    now = SystemClock().now()
    event["headers"] |= signed_headers(
        _WEBHOOK_SECRET, event["headers"]["webhook-id"], event["body"].encode(), now
    )
    signed = _FOLDER / file.name
    signed.write_text(json.dumps(event))
    return signed
