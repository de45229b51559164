"""The clients know their services as botocore's own descriptions of AWS do."""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from botocore import xform_name
from botocore.exceptions import NoCredentialsError
from botocore.session import Session

from bg_ingest.aws import aws_clients
from bg_ingest.aws.aws_json import SERVICES
from local.paths import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REGIONS = ("eu-west-1", "us-east-1", "us-gov-west-1", "cn-north-1")
# Methods of other objects with the name of an operation: a cipher's, and a socket's.
NOT_OF_AWS = {("kms", "Encrypt"), ("events", "CreateConnection")}
# Of an item; `dynamo.from_attributes` reads them.
OF_ITEMS = {"B", "BS"}


@cache
def _descriptions() -> Any:
    return Session().get_component("data_loader")


def _session() -> Session:
    """A new session of botocore. All share the descriptions, which take 50 ms to read."""
    session = Session()
    session.register_component("data_loader", _descriptions())
    return session


@pytest.fixture(autouse=True)
def _in_lambda(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment has a role's session and no other endpoints; clients are made for each test."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    aws_clients.client_of.cache_clear()
    aws_clients.pool.cache_clear()
    yield
    aws_clients.client_of.cache_clear()
    aws_clients.pool.cache_clear()


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("region", REGIONS)
def test_the_endpoints_are_those_of_botocore(service: str, region: str) -> None:
    """In every partition that the service can be deployed to."""
    theirs = _session().create_client(service, region_name=region)

    assert aws_clients.client_of(service, region).http.endpoint == theirs.meta.endpoint_url


@pytest.mark.parametrize("service", SERVICES)
def test_an_endpoint_of_the_environment_counts(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the names that botocore knows: for all services, and for one."""
    for name in ("AWS_ENDPOINT_URL", f"AWS_ENDPOINT_URL_{SERVICES[service].variable}"):
        monkeypatch.setenv(name, f"http://127.0.0.1:4566/{name}")
        aws_clients.client_of.cache_clear()
        theirs = _session().create_client(service, region_name="eu-west-1")

        assert aws_clients.client_of(service, "eu-west-1").http.endpoint == theirs.meta.endpoint_url


@pytest.mark.parametrize("name", SERVICES)
def test_the_protocol_is_that_of_the_model(name: str) -> None:
    """Its version, the target of its operations, and the name in its signatures."""
    ours, model = SERVICES[name], _session().get_service_model(name)

    assert ours.target == model.metadata["targetPrefix"]
    assert ours.version == model.metadata["jsonVersion"]
    assert ours.host == model.signing_name
    assert "json" in model.metadata["protocols"]


def test_every_called_operation_speaks_this_protocol() -> None:
    """Each is a POST to the root, is named by its method, and has no bytes but the known ones."""
    session = _session()
    known = {
        (service, xform_name(operation)): operation
        for service in SERVICES
        for operation in session.get_service_model(service).operation_names
    }
    names = {name for file in _code() for name in _called(file)}
    called = {key: operation for key, operation in known.items() if key[1] in names}

    assert len(called) >= 17
    for (service, method), operation in called.items():
        if (service, operation) in NOT_OF_AWS:
            continue
        model = session.get_service_model(service).operation_model(operation)
        assert (model.http["method"], model.http["requestUri"]) == ("POST", "/")
        assert "".join(part.capitalize() for part in method.split("_")) == operation
        assert _bytes_in(model.output_shape, set()) - OF_ITEMS <= set(SERVICES[service].blobs)


def test_without_credentials_there_is_no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is botocore's."""
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(NoCredentialsError):
        aws_clients.sqs("eu-west-1")


def test_certificates_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the bundle that the operator names, if there is one."""
    assert aws_clients.pool("eu-west-1").connection_pool_kw["cert_reqs"] == "CERT_REQUIRED"
    monkeypatch.setenv("AWS_CA_BUNDLE", "/etc/own.pem")
    aws_clients.pool.cache_clear()

    assert aws_clients.pool("eu-west-1").connection_pool_kw["ca_certs"] == "/etc/own.pem"


def _code() -> Iterator[Path]:
    for folder in ("layers/core/bg_ingest", "functions"):
        yield from (CHECKOUT / folder).rglob("*.py")


def _called(file: Path) -> Iterator[str]:
    """The names of the methods that a file calls on something."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Attribute):
            yield node.attr


def _bytes_in(shape: Any, seen: set[str]) -> set[str]:
    """The names of all members of a response that are bytes."""
    if shape is None or shape.name in seen:
        return set()
    seen.add(shape.name)
    members = getattr(shape, "members", {})
    found = {name for name, member in members.items() if member.type_name == "blob"}
    inner = [*members.values(), getattr(shape, "member", None), getattr(shape, "value", None)]
    return found.union(*(_bytes_in(each, seen) for each in inner))
