"""What Dockerfile and compose.yaml promise; `make check` lints the one and validates the other."""

from __future__ import annotations

import re
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from local.__main__ import _options
from local.paths import CHECKOUT
from local.ports import HOST, free_port
from local.processes import Processes
from local.waiting import wait_until
from tests.support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from pathlib import Path

DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()
SERVICES: dict[str, Any] = yaml.safe_load((CHECKOUT / "compose.yaml").read_text())["services"]
PINNED = re.compile(r"[\w./-]+:\d+\.\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?")


def test_it_is_built_in_stages_and_does_not_run_as_root() -> None:
    """What is installed to build it is left behind, and the user is a number that Kubernetes can check."""
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]

    assert len(stages) == 2
    assert re.search(r"^USER [1-9]\d+$", stages[-1], re.MULTILINE)
    assert "HEALTHCHECK" in stages[-1]
    assert "FRONT_HOST=0.0.0.0" in stages[-1]  # Or nobody outside would reach it.
    assert "COPY --from=built" in stages[-1]


def test_every_image_is_pinned_to_a_version() -> None:
    """To the patch: what was tried is what runs."""
    base = re.search(r"^ARG PYTHON=(\S+)$", DOCKERFILE, re.MULTILINE)

    assert base is not None
    images = [base[1], *[service["image"] for service in SERVICES.values() if "build" not in service]]
    assert [image for image in images if not PINNED.fullmatch(image)] == []


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_takes_no_more_than_its_share_and_is_open_to_this_machine_only(name: str) -> None:
    """Memory, processors and processes have an end, and every port is bound to 127.0.0.1."""
    service = SERVICES[name]

    assert {"mem_limit", "cpus", "pids_limit"} <= service.keys()
    assert service["ports"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_compose_has_what_the_code_can_be_tried_against() -> None:
    """The stack, DynamoDB Local and a broker that tells when it is ready."""
    assert set(SERVICES) == {"stack", "dynamodb", "rabbitmq"}
    assert "healthcheck" in SERVICES["rabbitmq"]


def test_what_stays_on_this_machine_is_not_sent_to_the_builder() -> None:
    """Environments, state and secrets are none of an image's business."""
    left_out = set((CHECKOUT / ".dockerignore").read_text().splitlines())

    assert {".git", ".venv*", ".local", ".env", ".aws-sam"} <= left_out


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has more than one address of its own")
@pytest.mark.parametrize(("more", "here"), [([], "127.0.0.1"), (["--host", "127.0.0.2"], "127.0.0.2")])
def test_the_api_listens_where_it_is_told_and_nowhere_else(
    tmp_path: Path, more: list[str], here: str
) -> None:
    """On 127.0.0.1 unless somebody says otherwise, as the container does."""
    port, processes = free_port(), Processes(tmp_path / "processes.json")
    command = [str(CHECKOUT / ".venv/bin/python"), "-m", "local.front", "--port", str(port), *more]
    environ = {"PYTHONPATH": f"{CHECKOUT / 'layers/core'}:{CHECKOUT}"}
    processes.start("front", [*command, "--target", "http://127.0.0.1:9"], tmp_path / "log", environ)
    try:
        assert wait_until(lambda: _is_used(here, port), WAIT_S_MAX)
        assert [address for address in ("127.0.0.1", "127.0.0.2") if _is_used(address, port)] == [here]
    finally:
        processes.end()


def test_the_containers_wish_reaches_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the environment, since `make up` has no option that opens a laptop to its network."""
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
