"""H1: the CPU of a fresh process up to its first answer, as Lambda starts one."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import threading
from contextlib import contextmanager
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
    from collections.abc import Iterator
    from pathlib import Path

FIRST_EVENTS = {
    "query": "query_latest",
    "sync": "sync_state",
    "connect": "connect_state",
    "webhook": "webhook_records",
    "site": "site_health",
    "dispatch": "dispatch_tick",
    "worker": "worker_poll",
    "publish": "publish_expired",
    "audit": "audit_revision",
}
# Two functions are made of this folder, one for each sink; the bus is the one that is always there.
_NAMED_OTHERWISE = {"publish": "PublishEventBridge"}
SECTION = "CPU of a cold start, first request included"
BUDGET_MS = 600
_WEBHOOK_SECRET = new_secret()
_FOLDER = CHECKOUT / ".local" / "benchmarks"
# Nothing is installed there but the Lambda runtime client and boto3.
_RUNTIME = CHECKOUT / ".venv-runtime" / "bin" / "python"
# The runtime client is part of every start; an answer that was not to be had must not pass for a quick one.
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
# What every function of Python starts with that talks to DynamoDB.
_FLOOR = """
import time
import awslambdaric.bootstrap
import boto3
boto3.client("dynamodb")
print(time.process_time() * 1000)
"""
_COMPILE = "import compileall, sysconfig; compileall.compile_dir(sysconfig.get_path('purelib'), quiet=1)"


def cold_starts(endpoint: str, starts: int) -> list[Measured]:
    """Every function, from the built layer as it is deployed, and from one without .pyc files."""
    built = _FOLDER / "build"
    build(built, _FOLDER / "sam.log")
    # What the runtime brings is compiled in both: only the layer is ours to build one way or the other.
    subprocess.run([_RUNTIME, "-c", _COMPILE], check=True)  # noqa: S603 - our own code.
    compiled = built / "CoreLayer" / "python"
    uncompiled = _without_pyc(compiled)
    with _bus() as bus:
        variables = environ(endpoint) | bus
        of_functions = [
            Measured(
                SECTION,
                function,
                _median_ms(_folder(built, function), compiled, variables, event, starts),
                "ms",
                BUDGET_MS,
                _median_ms(_folder(built, function), uncompiled, variables, event, max(starts // 3, 1)),
            )
            for function, event in FIRST_EVENTS.items()
        ]
    floor_ms = statistics.median(_run_ms([_FLOOR], environ(endpoint)) for _ in range(starts))
    return [*of_functions, Measured(SECTION, "with nothing of ours", floor_ms, "ms")]


def _folder(built: Path, function: str) -> Path:
    return built / f"{_NAMED_OTHERWISE.get(function, function.title())}Function"


class _Bus(BaseHTTPRequestHandler):
    """Takes every event, as EventBridge does: an answer it has to wait for, and read."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        taken = [{"EventId": str(place)} for place, _ in enumerate(asked["Entries"])]
        answer = json.dumps({"FailedEntryCount": 0, "Entries": taken}).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _bus() -> Iterator[dict[str, str]]:
    """What tells a function of a bus that takes everything, for as long as the block runs."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Bus) as bus:
        threading.Thread(target=bus.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{bus.server_port}"
        try:
            yield {"EVENT_BUS_NAME": "events", "AWS_ENDPOINT_URL_EVENTBRIDGE": address}
        finally:
            bus.shutdown()


def _without_pyc(layer: Path) -> Path:
    folder = _FOLDER / "uncompiled"
    shutil.rmtree(folder, ignore_errors=True)
    return shutil.copytree(layer, folder, ignore=shutil.ignore_patterns("__pycache__"))


def _median_ms(function: Path, layer: Path, variables: dict[str, str], event: str, starts: int) -> float:
    return statistics.median(_start_ms(function, layer, variables, event) for _ in range(starts))


def _start_ms(function: Path, layer: Path, variables: dict[str, str], event: str) -> float:
    variables = variables | {
        "PYTHONPATH": os.pathsep.join([str(function), str(layer)]),
        "PYTHONDONTWRITEBYTECODE": "1",  # Lambda's folders are read-only.
        "WEBHOOK_SECRETS": _WEBHOOK_SECRET,
    }
    return _run_ms([_START, _signed(CHECKOUT / "events" / f"{event}.json")], variables)


def _run_ms(program: list[str | Path], variables: dict[str, str]) -> float:
    """What a program says it has taken, in a process of its own."""
    done = subprocess.run(  # noqa: S603 - our own code.
        [_RUNTIME, "-c", *program],
        env=variables,
        cwd=_FOLDER,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode:
        raise RuntimeError(f"a cold start failed: {done.stderr[-500:]}")
    return float(done.stdout.splitlines()[-1])


def _signed(file: Path) -> Path:
    """An event as it is; a webhook's with a signature that is good now, or it would be refused at once."""
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
