"""The trimmed models of the layer: complete, and readable by the runtime's botocore."""

from __future__ import annotations

import ast
import json
import ssl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import certifi
import pytest
from botocore import xform_name
from botocore.session import Session

from layers.core.trim_models import OPERATIONS, ROOTS, roots, trim
from local.paths import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

_RUNTIME = CHECKOUT / ".venv-runtime" / "bin" / "python"
_REGIONS = ("eu-west-1", "us-east-1", "us-gov-west-1", "cn-north-1")
# Methods of other objects with the name of an operation: a cipher's, and a socket's.
_NOT_OF_AWS = {("kms", "Encrypt"), ("events", "CreateConnection")}
# Walks through every shape of every operation, and resolves every endpoint.
_READ = """
import json, sys
from botocore.loaders import Loader
from botocore.session import Session

def walk(shape, seen):
    if shape is None or shape.name in seen:
        return
    seen.add(shape.name)
    for member in getattr(shape, "members", {}).values():
        walk(member, seen)
    for name in ("member", "key", "value"):
        walk(getattr(shape, name, None), seen)

folder, regions, operations = sys.argv[1], sys.argv[2].split(","), json.loads(sys.argv[3])
found = {}
for trimmed in (True, False):
    session = Session()
    session.set_credentials("id", "secret")
    if trimmed:
        session.register_component("data_loader", Loader([folder], include_default_search_paths=False))
    for service, names in operations.items():
        for region in regions:
            client = session.create_client(service, region_name=region)
            shapes = set()
            for name in names:
                model = client.meta.service_model.operation_model(name)
                for shape in (model.input_shape, model.output_shape, *model.error_shapes):
                    walk(shape, shapes)
            found.setdefault(f"{service} {region}", []).append([client.meta.endpoint_url, sorted(shapes)])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models as the layer's build writes them."""
    where: list[str | Path] = [_RUNTIME, "-c", "import botocore; print(botocore.__path__[0])"]
    botocore = subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - fixed.
    folder = tmp_path_factory.mktemp("models")
    trim(Path(botocore) / "data", folder)
    return folder


def test_every_called_operation_is_in_the_models() -> None:
    """A call that looks like an operation of one of these services is one that the layer contains."""
    session = Session()
    known = {
        xform_name(operation): (service, operation)
        for service in OPERATIONS
        for operation in session.get_service_model(service).operation_names
    }
    called = {known[name] for file in _code() for name in _called(file) if name in known}

    assert called - _NOT_OF_AWS == {
        (service, operation) for service, names in OPERATIONS.items() for operation in names
    }


def _code() -> Iterator[Path]:
    for folder in ("layers/core/bg_ingest", "functions"):
        yield from (CHECKOUT / folder).rglob("*.py")


def _called(file: Path) -> Iterator[str]:
    """The names of the methods that a file calls on something."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Attribute):
            yield node.attr


def test_the_runtime_reads_the_models(models: Path) -> None:
    """Its own botocore finds the same shapes and the same endpoints in them as in its own data."""
    ran = subprocess.run(  # noqa: S603 - code of this project.
        [_RUNTIME, "-c", _READ, str(models), ",".join(_REGIONS), json.dumps(OPERATIONS)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(ran.stdout)

    assert len(found) == len(OPERATIONS) * len(_REGIONS)
    for trimmed, whole in found.values():
        assert trimmed == whole


def test_the_models_are_small(models: Path) -> None:
    """Reading them is what a cold start waits for."""
    assert sum(file.stat().st_size for file in models.rglob("*.json")) < 250_000


def test_the_roots_are_those_of_amazon() -> None:
    """Five certificates that TLS accepts, from the bundle in the layer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=roots(Path(certifi.where()).read_text()))
    subjects: list[Any] = [certificate["subject"] for certificate in context.get_ca_certs()]
    names = {value for subject in subjects for ((name, value),) in subject if name == "commonName"}

    assert names == set(ROOTS)


def test_a_bundle_without_a_root_is_an_error() -> None:
    """The build fails instead of making a layer that cannot connect."""
    with pytest.raises(ValueError, match="0 of 5"):
        roots("# Issuer: CN=Another O=Another\n-----BEGIN CERTIFICATE-----\n")
