"""The record with which a local cloud continues after `make down`."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from local.cloud import Options
from local.errors import CannotStart
from local.kept import KeptCloud, forget_logs, load_kept, require_ports
from local.paths import StateFolder
from local.ports import HOST, free_port
from local.running import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

KEPT = KeptCloud("hash", 1, 2, {"ApiId": "api"}, "whsec_", 3)


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """A state folder with the stored tables of an emulated AWS."""
    folder = StateFolder(tmp_path)
    (folder.kept / "aws").mkdir(parents=True)
    (folder.kept / "aws" / "dynamodb.json").write_text("{}")
    return folder


def test_the_record_is_read_back(state: StateFolder) -> None:
    """It contains a secret, so only its owner can read it."""
    KEPT.save(state)

    assert load_kept(state) == KEPT
    assert state.kept_file.stat().st_mode & 0o777 == 0o600


def test_nothing_is_kept_without_the_tables(state: StateFolder) -> None:
    """A cloud that was killed has stored none, so the next start has no data."""
    KEPT.save(state)
    (state.kept / "aws" / "dynamodb.json").unlink()

    assert load_kept(state) is None


def test_a_record_of_another_version_is_not_used(state: StateFolder) -> None:
    """The message says what to do; the data is not removed unasked."""
    state.kept_file.write_text(json.dumps({"fingerprint": "hash"}))

    with pytest.raises(CannotStart, match="another version"):
        load_kept(state)
    assert state.kept_file.exists()


def test_a_taken_port_is_named() -> None:
    """The stored stack names its ports, so it cannot use others."""
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        listening.listen()
        port = listening.getsockname()[1]
        with pytest.raises(CannotStart, match=f"Port {port}"):
            require_ports(replace(KEPT, emulator_port=port, simulator_port=None))
    require_ports(replace(KEPT, emulator_port=free_port(), simulator_port=None))


def test_stored_log_lines_are_dropped(state: StateFolder) -> None:
    """The log groups remain."""
    file = state.kept / "aws" / "cloudwatch_logs.json"
    groups = {"data": {"name": {"arn": "arn", "streams": {"one": {"events": [1, 2]}}}}}
    file.write_text(json.dumps({"payload": {"log_groups": groups}}))

    forget_logs(state)

    stored = json.loads(file.read_text())["payload"]["log_groups"]["data"]
    assert stored == {"name": {"arn": "arn", "streams": {}}}


def test_live_code_is_not_part_of_the_fingerprint(tmp_path: Path) -> None:
    """A cloud that stays runs the checkout, so only template and packages make another deployment."""
    core = tmp_path / "layers" / "core"
    core.mkdir(parents=True)
    options = Options(port=5001, stays=True)
    before = fingerprint(options, tmp_path)

    (core / "module.py").write_text("VALUE = 1\n")
    assert fingerprint(options, tmp_path) == before
    (core / "requirements.txt").write_text("httpx==0.28.1\n")
    assert fingerprint(options, tmp_path) != before
