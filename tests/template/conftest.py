"""What SAM builds from the template, once for all tests that look at it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from local.deploy import build
from local.paths import CHECKOUT, EMULATOR_BIN

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built functions and the built layer, for this machine's Python."""
    folder = tmp_path_factory.mktemp("built")
    build(folder / "build", folder / "sam.log")
    return folder / "build"


@pytest.fixture(scope="session")
def processed() -> dict[str, Any]:
    """The template as SAM makes it: what CloudFormation is given."""
    command = [EMULATOR_BIN / "python", CHECKOUT / "local" / "transformed.py"]
    done = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own code.
    document: dict[str, Any] = json.loads(done.stdout)
    return document
