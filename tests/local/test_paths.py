"""The import path that the local cloud gives to its processes."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from local.paths import CHECKOUT, CORE, NIGHTSCOUT_SIMULATOR, PYTHONPATH, SIMULATOR, write_private

if TYPE_CHECKING:
    from pathlib import Path

LOCATE = "import importlib.util, sys; print(importlib.util.find_spec(sys.argv[1]).origin)"


@pytest.mark.parametrize(
    ("package", "folder"),
    [
        ("bg_ingest", CORE),
        ("dexcom_sim", SIMULATOR),
        ("nightscout_sim", NIGHTSCOUT_SIMULATOR),
        ("local", CHECKOUT),
    ],
)
def test_a_process_finds_the_packages_of_this_checkout(package: str, folder: object) -> None:
    """The import path alone is enough: `-S` ignores what `make setup` has added to the environment."""
    found = subprocess.run(  # noqa: S603 - our own command.
        [sys.executable, "-S", "-c", LOCATE, package],
        cwd="/",
        env={"PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout.strip() == f"{folder}/{package}/__init__.py"


def test_a_private_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """A file with tokens has the mode 0600, also if a file with another mode was there."""
    file = tmp_path / "stack.json"
    file.write_text("older")
    file.chmod(0o644)
    write_private(file, "secret")

    assert (file.stat().st_mode & 0o777, file.read_text()) == (0o600, "secret")
