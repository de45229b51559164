"""The built functions run with Lambda's own Python packages and the layer only."""

from __future__ import annotations

import io
import json
import os
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest

from local.paths import CHECKOUT
from tests.functions.conftest import FUNCTIONS

if TYPE_CHECKING:
    from pathlib import Path

# Only the Lambda runtime client and boto3 are installed there.
RUNTIME = CHECKOUT / ".venv-runtime" / "bin" / "python"
LAYER_BYTES_MAX = 25_000_000
_CALL = "import app, types; app.lambda_handler({}, types.SimpleNamespace(aws_request_id='x'))"


# Two functions are built from this folder, one for each sink.
_NAMED_OTHERWISE = {"publish": "PublishEventBridge"}


def _run(built: Path, function: str, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment |= {"PYTHONDONTWRITEBYTECODE": "1"}  # The settings here are those of the deployed functions.
    path = os.pathsep.join(
        [
            str(built / f"{_NAMED_OTHERWISE.get(function, function.title())}Function"),
            str(built / "CoreLayer" / "python"),
        ]
    )
    return subprocess.run(  # noqa: S603 - code of this project.
        [RUNTIME, "-c", code],
        env={"PYTHONPATH": path, "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1", **environment},
        cwd=built,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_built_function_imports_with_runtime_and_layer_only(built: Path, function: str) -> None:
    """Every dependency is in the layer, and modules that slow the start down are not imported."""
    code = "import app, awslambdaric, sys; print(*sorted(sys.modules))"
    done = _run(built, function, code)

    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "bg_ingest.telemetry" in loaded
    assert not loaded & {"awscrt", "niquests", "aws_xray_sdk", "moto", "fastapi"}
    if function in {"query", "insight", "dispatch", "site", "webhook", "publish", "audit"}:
        assert not loaded & {"httpx", "cryptography", "jwt"}
    # It takes 100 ms, so the function that uses it imports it at its first use.
    assert "pika" not in loaded


def test_the_rabbitmq_client_is_in_the_layer(built: Path) -> None:
    """The RabbitMQ publisher's sink can be made from the layer, without a broker."""
    code = (
        "from bg_ingest.wiring.process import process; from bg_ingest.wiring.publish_parts import sink; "
        "print(type(process().part(sink)).__name__)"
    )
    done = _run(built, "publish", code, RABBITMQ_URL="amqp://127.0.0.1")

    assert done.stdout.strip() == "RabbitMQSink", done.stderr


def test_the_layer_is_small_and_does_not_contain_boto3(built: Path) -> None:
    """The layer has less than 25 MB as uploaded."""
    layer, packed = built / "CoreLayer" / "python", io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in layer.rglob("*"):
            archive.write(file, file.relative_to(layer.parent))

    assert packed.tell() < LAYER_BYTES_MAX
    assert not list(layer.glob("boto*"))
    assert (layer / "bg_ingest" / "telemetry" / "entry.py").exists()


_AT_FAULT: list[tuple[dict[str, str], str]] = [
    ({"POLL_INTERVAL_SECONDS": "abc"}, "POLL_INTERVAL_SECONDS"),
    ({"ENVIRONMENT": "production", "DYNAMODB_TABLE": "r", "USERS_TABLE": "u"}, "DEXCOM_API_BASE_URL"),
    (
        {
            "ENVIRONMENT": "production",
            "DYNAMODB_TABLE": "r",
            "USERS_TABLE": "u",
            "DEXCOM_API_BASE_URL": "https://api.dexcom.com",
            "DEXCOM_REDIRECT_URI": "https://bg.example.org/oauth/callback",
        },
        "SECRET_NAME",
    ),
]


@pytest.mark.parametrize(
    ("function", "environment", "name"),
    # Each function reads its settings first, with the same code.
    [
        *((function, *_AT_FAULT[0]) for function in FUNCTIONS),
        *(("worker", *fault) for fault in _AT_FAULT[1:]),
    ],
)
def test_an_invalid_setting_stops_the_function_with_its_name(
    built: Path, function: str, environment: dict[str, str], name: str
) -> None:
    """The function logs one line and the process ends."""
    done = _run(built, function, _CALL, **environment)

    assert done.returncode == 1
    (line,) = (done.stdout + done.stderr).splitlines()
    assert json.loads(line)["message"].startswith(f"cannot run: {name}")
