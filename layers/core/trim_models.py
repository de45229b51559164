"""Cuts botocore's data down to what this service calls. The layer's build runs it."""

# botocore's data describes 440 services. Finding, unpacking and parsing the models of DynamoDB alone is a
# quarter of a cold start. Of six services the layer contains the operations below, without documentation.
#
#   python3 trim_models.py <botocore's folder> <certifi's cacert.pem> <target folder>
#
# The botocore of the runtime reads the result: wiring/aws/aws_clients.py. tests/template/test_models.py fails
# if an operation that the code calls is missing, or if the botocore of the runtime cannot read it.

from __future__ import annotations

import gzip
import json
import re
import sys
from pathlib import Path
from typing import Any

OPERATIONS = {
    "dynamodb": (
        "BatchGetItem",
        "DeleteItem",
        "DescribeTable",
        "GetItem",
        "PutItem",
        "Query",
        "TransactWriteItems",
        "UpdateItem",
    ),
    "sqs": ("ChangeMessageVisibility", "GetQueueAttributes", "SendMessage", "SendMessageBatch"),
    "events": ("PutEvents",),
    "kms": ("Decrypt", "GenerateDataKey"),
    "secretsmanager": ("GetSecretValue",),
    "ssm": ("GetParameter",),
}
# Amazon's roots, with which every endpoint of AWS has a certificate: https://www.amazontrust.com/repository/
ROOTS = (
    "Amazon Root CA 1",
    "Amazon Root CA 2",
    "Amazon Root CA 3",
    "Amazon Root CA 4",
    "Starfield Services Root Certificate Authority - G2",
)
_PLAIN = ("_retry.json", "partitions.json", "sdk-default-configuration.json")
_UNUSED = {"documentation", "documentationUrl", "examples"}


def trim(data: Path, target: Path) -> None:
    """Write the needed part of botocore's data."""
    target.mkdir(parents=True, exist_ok=True)
    for name in _PLAIN:
        _write(target / name, _read(data / name))
    _write(target / "endpoints.json", _endpoints(_read(data / "endpoints.json")))
    for service, operations in OPERATIONS.items():
        newest = max(folder for folder in (data / service).iterdir() if any(folder.glob("service-2.json*")))
        folder = target / service / newest.name
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / "service-2.json", _model(_read(newest / "service-2.json"), operations))
        _write(folder / "endpoint-rule-set-1.json", _read(newest / "endpoint-rule-set-1.json"))


def roots(bundle: str) -> str:
    """The certificates of ROOTS from certifi's bundle, whose comments name their subjects."""
    found = [
        block[block.index("-----BEGIN") :]
        for block in bundle.split("# Issuer:")[1:]
        if re.search(rf"^# Subject: CN=({'|'.join(map(re.escape, ROOTS))}) O=", block, re.MULTILINE)
    ]
    if len(found) != len(ROOTS):
        raise ValueError(f"the bundle has {len(found)} of {len(ROOTS)} of Amazon's roots")
    return "".join(found)


def _model(model: dict[str, Any], operations: tuple[str, ...]) -> dict[str, Any]:
    kept = {name: model["operations"][name] for name in operations}
    needed: dict[str, Any] = {}
    _collect(kept, model["shapes"], needed)
    rest = {name: value for name, value in model.items() if name not in _UNUSED}
    bare: dict[str, Any] = _bare({**rest, "operations": kept, "shapes": needed})
    return bare


def _collect(part: Any, shapes: dict[str, Any], needed: dict[str, Any]) -> None:
    """Add every shape that a part of the model names to `needed`."""
    if isinstance(part, dict):
        name = part.get("shape")
        if isinstance(name, str) and name not in needed:
            needed[name] = shapes[name]
            _collect(shapes[name], shapes, needed)
        for member in part.values():
            _collect(member, shapes, needed)
    elif isinstance(part, list):
        for member in part:
            _collect(member, shapes, needed)


def _bare(part: Any) -> Any:
    if isinstance(part, dict):
        # A member that is called "documentation" has a shape, and stays.
        return {
            name: _bare(value)
            for name, value in part.items()
            if name not in _UNUSED or isinstance(value, dict)
        }
    return [_bare(member) for member in part] if isinstance(part, list) else part


def _endpoints(endpoints: dict[str, Any]) -> dict[str, Any]:
    partitions = [
        {**partition, "services": {name: partition["services"].get(name, {}) for name in OPERATIONS}}
        for partition in endpoints["partitions"]
    ]
    return {**endpoints, "partitions": partitions}


def _read(file: Path) -> dict[str, Any]:
    packed = file.with_name(file.name + ".gz")
    text = file.read_bytes() if file.exists() else gzip.decompress(packed.read_bytes())
    read: dict[str, Any] = json.loads(text)
    return read


def _write(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, separators=(",", ":")))


if __name__ == "__main__":
    botocore, cacert, into = map(Path, sys.argv[1:])
    trim(botocore / "data", into)
    (into / "amazon_roots.pem").write_text(roots(cacert.read_text()))
