"""The import path that the local cloud gives to its processes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from local.paths import CHECKOUT, CORE, PYTHONPATH, SIMULATOR

LOCATE = "import importlib.util, sys; print(importlib.util.find_spec(sys.argv[1]).origin)"


@pytest.mark.parametrize(
    ("package", "folder"), [("bg_ingest", CORE), ("dexcom_sim", SIMULATOR), ("local", CHECKOUT)]
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
