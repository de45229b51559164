"""The template as SAM transforms it."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from local.paths import CHECKOUT, EMULATOR_BIN


@pytest.fixture(scope="session")
def processed() -> dict[str, Any]:
    """Return the template that CloudFormation gets from SAM."""
    command = [EMULATOR_BIN / "python", CHECKOUT / "local" / "transformed.py"]
    done = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - a tool of this project.
    document: dict[str, Any] = json.loads(done.stdout)
    return document
