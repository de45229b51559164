"""The built functions run with Lambda's own Python packages and the layer only."""

from __future__ import annotations

import io
import json
import os
import subprocess
import zipfile
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from local.paths import CHECKOUT
from tests.functions.conftest import FUNCTIONS

if TYPE_CHECKING:
    from pathlib import Path

# Only the Lambda runtime client and boto3 are installed there.
RUNTIME = CHECKOUT / ".venv-runtime" / "bin" / "python"
LAYER_BYTES_MAX = 25_000_000
EXPORT_LAYER_BYTES_MAX = 40_000_000  # Unpacked.
_CALL = "import app, types; app.lambda_handler({}, types.SimpleNamespace(aws_request_id='x'))"
_LOADED = "import awslambdaric, app, sys; print(*sorted(sys.modules))"
_NO_NUMBER = {"POLL_INTERVAL_SECONDS": "abc"}


# Two functions are built from this folder, one for each sink.
_NAMED_OTHERWISE = {"publish": "PublishEventBridge"}


def _run(built: Path, function: str, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment |= {"PYTHONDONTWRITEBYTECODE": "1"}  # The settings here are those of the deployed functions.
    path = os.pathsep.join(
        [
            str(built / f"{_NAMED_OTHERWISE.get(function, function.title())}Function"),
            str(built / "CoreLayer" / "python"),
            *([str(built / "ExportLayer" / "python")] if function.startswith("export") else []),
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


@cache
def _called_with_an_invalid_setting(built: Path, function: str) -> subprocess.CompletedProcess[str]:
    """One process for two tests: it prints the loaded modules, then the function is called."""
    return _run(built, function, f"{_LOADED}; {_CALL}", **_NO_NUMBER)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_built_function_imports_with_runtime_and_layer_only(built: Path, function: str) -> None:
    """Every dependency is in the layer, and modules that slow the start down are not imported."""
    done = _called_with_an_invalid_setting(built, function)

    assert done.stdout, done.stderr
    loaded = set(done.stdout.splitlines()[0].split())
    assert "bg_ingest.telemetry" in loaded
    assert not loaded & {"awscrt", "niquests", "aws_xray_sdk", "moto", "fastapi", "boto3", "s3transfer"}
    light = {"query", "insight", "dispatch", "site", "nightscout", "grants", "webhook", "publish", "audit"}
    if function in light:
        assert not loaded & {"httpx", "cryptography", "jwt", "asyncio.base_events"}
    # It takes 100 ms, so the function that uses it imports it at its first use.
    assert "pika" not in loaded


def test_parquet_is_in_the_layer_of_the_export_only(built: Path) -> None:
    """The export function can write Parquet, loads it late, and no other function has its size."""
    code = "import app, sys; print('arro3' in sys.modules); import bg_ingest.exporting.tables.parquet_file"
    done = _run(built, "export", code)
    assert _run(built, "exporter", code).stdout == done.stdout
    sizes = {
        layer: sum(file.stat().st_size for file in (built / layer / "python").rglob("*") if file.is_file())
        for layer in ("ExportLayer", "CoreLayer")
    }

    assert done.stdout.strip() == "False", done.stderr
    assert _run(built, "query", "import arro3").returncode != 0
    assert sizes["ExportLayer"] < EXPORT_LAYER_BYTES_MAX
    assert not (built / "CoreLayer" / "python" / "arro3").exists()


def test_only_functions_that_export_have_the_parquet_layer(processed: dict[str, Any]) -> None:
    """Every other function has the core layer alone."""
    layers = {
        name.removesuffix("Function"): len(entry["Properties"]["Layers"])
        for name, entry in processed["Resources"].items()
        if entry["Type"] == "AWS::Lambda::Function" and "Layers" in entry["Properties"]
    }

    assert len(layers) >= len(FUNCTIONS)
    assert {name for name, number in layers.items() if number != 1} == {"Export", "Exporter"}
    assert layers["Exporter"] == layers["Export"] == len(("CoreLayer", "ExportLayer"))


def test_the_rabbitmq_client_is_in_the_layer(built: Path) -> None:
    """The RabbitMQ publisher's sink can be made from the layer, without a broker."""
    code = (
        "from bg_ingest.wiring.process import process; from bg_ingest.wiring.publish_parts import sink; "
        "print(type(process().part(sink).sink).__name__)"
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
    assert {file.name for file in layer.parent.iterdir()} == {"python"}
    assert (layer / "bg_ingest" / "aws" / "amazon_roots.pem").exists()
    assert (layer / "bg_ingest" / "telemetry" / "entry.py").exists()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_invalid_setting_stops_the_function_with_its_name(built: Path, function: str) -> None:
    """The function logs one line and the process ends."""
    done = _called_with_an_invalid_setting(built, function)

    assert done.returncode == 1
    _, *lines = (done.stdout + done.stderr).splitlines()
    (line,) = lines
    assert json.loads(line)["message"].startswith("cannot run: POLL_INTERVAL_SECONDS")


_PRODUCTION = {"ENVIRONMENT": "production", "DYNAMODB_TABLE": "r", "USERS_TABLE": "u", "INTAKE_TABLE": "i"}


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        (_PRODUCTION, "DEXCOM_API_BASE_URL"),
        (
            {
                **_PRODUCTION,
                "DEXCOM_API_BASE_URL": "https://api.dexcom.com",
                "DEXCOM_REDIRECT_URI": "https://bg.example.org/oauth/callback",
            },
            "SECRET_NAME",
        ),
    ],
)
def test_a_missing_setting_stops_the_function_with_its_name(
    built: Path, environment: dict[str, str], name: str
) -> None:
    """All functions read their settings with the same code, so one shows it."""
    done = _run(built, "worker", _CALL, **environment)

    assert done.returncode == 1
    (line,) = (done.stdout + done.stderr).splitlines()
    assert json.loads(line)["message"].startswith(f"cannot run: {name}")
