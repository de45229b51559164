"""The simulator is a package of its own, and its README is true."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from importlib import import_module

import httpx
import pytest

from local.paths import NIGHTSCOUT_SIMULATOR
from nightscout_sim.__main__ import parse_arguments

PROJECT = tomllib.loads((NIGHTSCOUT_SIMULATOR / "pyproject.toml").read_text())["project"]
README = (NIGHTSCOUT_SIMULATOR / "README.md").read_text(encoding="utf-8")
(START,) = re.findall(r"^nightscout-sim .*$", README, flags=re.MULTILINE)


def test_it_imports_nothing_but_pythons_library() -> None:
    """The module httpx is imported by `in_process` alone, which an extra is for."""
    imported: dict[str, set[str]] = {}
    for file in (NIGHTSCOUT_SIMULATOR / "nightscout_sim").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                imported.setdefault(name.partition(".")[0], set()).add(file.name)

    others = {name: files for name, files in imported.items() if name not in sys.stdlib_module_names}
    assert others == {"nightscout_sim": others["nightscout_sim"], "httpx": {"in_process.py"}}
    assert PROJECT["dependencies"] == []


def test_the_command_is_installed_with_the_package() -> None:
    """The command of the README is a console script, and its function exists."""
    command, *_ = shlex.split(START)
    module, _, function = PROJECT["scripts"][command].partition(":")

    assert callable(getattr(import_module(module), function))


def test_the_table_of_options_is_complete() -> None:
    """Every option of the command line is in the README, and no other."""
    options = {f"--{name.replace('_', '-')}" for name in vars(parse_arguments([]))}
    rows = [line for line in README.splitlines() if line.startswith("| `--")]

    assert {name for row in rows for name in re.findall(r"`(--[\w-]+)`", row)} == options
    assert parse_arguments(shlex.split(START)[1:]).port == 5003


def test_the_example_for_tests_runs() -> None:
    """The Python example runs without a socket, and its assertions hold."""
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    ran = subprocess.run(  # noqa: S603 - our own documentation.
        [sys.executable, "-W", "error", "-c", code],
        env={"PYTHONPATH": str(NIGHTSCOUT_SIMULATOR)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr


@pytest.mark.enable_socket
def test_the_command_serves_what_the_readme_says() -> None:
    """The served site prints a token that opens its entries, and the README's faults are accepted."""
    command = [sys.executable, "-m", "nightscout_sim", *shlex.split(START)[1:], "--port", "0"]
    with subprocess.Popen(  # noqa: S603 - our own command.
        command, env={"PYTHONPATH": str(NIGHTSCOUT_SIMULATOR)}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            token = process.stdout.readline().split()[-1]
            address = process.stdout.readline().split()[-1]
            with httpx.Client(base_url=address) as client:
                for body in re.findall(r"_sim/faults -d '(.*)'", README):
                    assert client.post("/_sim/faults", content=body).status_code == 201
                assert client.delete("/_sim/faults").status_code == 204
                entries = client.get("/api/v1/entries.json", params={"token": token})
        finally:
            process.terminate()

    assert f"`{token}`" in README
    assert len(entries.json()) == 10
    assert process.returncode == 0
