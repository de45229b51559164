"""The simulator is a package of its own."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections import Counter
from importlib import import_module

from local.paths import CHECKOUT, SIMULATOR
from tests.simulators.dexcom.process import start_command

PROJECT = tomllib.loads((SIMULATOR / "pyproject.toml").read_text())["project"]
# The modules of what fastapi and the extra `in-process` bring.
ALLOWED = {"dexcom_sim", "fastapi", "pydantic", "starlette", "uvicorn"}


def test_it_depends_on_what_the_checkout_installs() -> None:
    """The dependency group `simulator` of the checkout and the package name the same dependencies."""
    groups = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["dependency-groups"]

    assert sorted(PROJECT["dependencies"]) == sorted(groups["simulator"])


def test_the_command_is_installed_with_the_package() -> None:
    """The command of the README is a console script, and its function exists."""
    (command, *_) = start_command()
    module, _, function = PROJECT["scripts"][command].partition(":")

    assert callable(getattr(import_module(module), function))


def test_it_imports_nothing_but_its_dependencies() -> None:
    """No module imports BG Ingest. httpx is imported by `in_process` alone, which an extra is for."""
    imported: dict[str, set[str]] = {}
    for file in (SIMULATOR / "dexcom_sim").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                imported.setdefault(name.partition(".")[0], set()).add(file.name)

    others = {name: files for name, files in imported.items() if name not in sys.stdlib_module_names}
    assert others.keys() - ALLOWED == {"httpx"}
    assert others["httpx"] == {"in_process.py"}
    assert PROJECT["optional-dependencies"] == {"in-process": ["httpx"]}


def test_no_folder_has_more_than_16_files() -> None:
    """A folder that grows beyond 16 files needs to be divided."""
    counts = Counter(file.parent.name for file in (SIMULATOR / "dexcom_sim").rglob("*.py"))

    assert {name: count for name, count in counts.items() if count > 16} == {}
    assert counts.keys() == {"dexcom_sim", "faults", "http", "people"}
