"""What SAM builds from the template, once for all tests that look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.deploy import build

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built functions and the built layer, for this machine's Python."""
    folder = tmp_path_factory.mktemp("built")
    build(folder / "build", folder / "sam.log")
    return folder / "build"
