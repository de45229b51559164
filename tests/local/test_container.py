"""Dockerfile and compose.yaml. `make check` lints the first and validates the second."""

from __future__ import annotations

import re
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from local.__main__ import _options
from local.paths import CHECKOUT, PYTHONPATH
from local.ports import HOST, free_port
from local.processes import Processes
from local.waiting import wait_until
from tests.support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from pathlib import Path

DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()
SERVICES: dict[str, Any] = yaml.safe_load((CHECKOUT / "compose.yaml").read_text())["services"]
PINNED = re.compile(r"[\w./-]+:\d+\.\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?")


def test_the_image_has_two_stages_and_a_user_without_root() -> None:
    """The build tools stay in the first stage, and the user is a number that Kubernetes can check."""
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]

    assert len(stages) == 2
    assert re.search(r"^USER [1-9]\d+$", stages[-1], re.MULTILINE)
    assert "HEALTHCHECK" in stages[-1]
    assert (
        "FRONT_HOST=0.0.0.0" in stages[-1]
    )  # Otherwise the API cannot be reached from outside the container.
    assert "COPY --from=built" in stages[-1]


def test_every_image_is_pinned_to_a_patch_version() -> None:
    """The images that run are the ones that were tested."""
    base = re.search(r"^ARG PYTHON=(\S+)$", DOCKERFILE, re.MULTILINE)

    assert base is not None
    images = [base[1], *[service["image"] for service in SERVICES.values() if "build" not in service]]
    assert [image for image in images if not PINNED.fullmatch(image)] == []


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_limited_and_bound_to_127_0_0_1(name: str) -> None:
    """Memory, processors and processes have limits, and every port is on 127.0.0.1."""
    service = SERVICES[name]

    assert {"mem_limit", "cpus", "pids_limit"} <= service.keys()
    assert service["ports"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_compose_has_the_stack_dynamodb_and_rabbitmq() -> None:
    """The broker has a health check, so that a test can wait for it."""
    assert set(SERVICES) == {"stack", "dynamodb", "rabbitmq"}
    assert "healthcheck" in SERVICES["rabbitmq"]


def test_local_files_are_not_part_of_the_build_context() -> None:
    """Environments, state and secrets are excluded from the image."""
    left_out = set((CHECKOUT / ".dockerignore").read_text().splitlines())

    assert {".git", ".venv*", ".local", ".env", ".aws-sam"} <= left_out


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has more than one address of its own")
@pytest.mark.parametrize(("more", "here"), [([], "127.0.0.1"), (["--host", "127.0.0.2"], "127.0.0.2")])
def test_the_front_listens_on_one_address_only(tmp_path: Path, more: list[str], here: str) -> None:
    """The default is 127.0.0.1, and `--host` selects another address, as the container does."""
    port, processes = free_port(), Processes(tmp_path / "processes.json")
    command = [str(CHECKOUT / ".venv/bin/python"), "-m", "local.front", "--port", str(port), *more]
    environ = {"PYTHONPATH": PYTHONPATH}
    processes.start("front", [*command, "--target", "http://127.0.0.1:9"], tmp_path / "log", environ)
    try:
        assert wait_until(lambda: _is_used(here, port), WAIT_S_MAX)
        assert [address for address in ("127.0.0.1", "127.0.0.2") if _is_used(address, port)] == [here]
    finally:
        processes.end()


def test_front_host_sets_the_address_of_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    """The container sets it by the environment; `make up` has no option for it."""
    assert _options().front_host == HOST
    monkeypatch.setenv("FRONT_HOST", "127.0.0.2")
    assert _options().front_host == "127.0.0.2"


def _is_used(address: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return True
    return False
