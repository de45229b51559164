"""Environments of the clients: each has its own, with the packages of its requirements file."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local.paths import CHECKOUT, DEV_BIN

FOLDER = CHECKOUT / ".venv-clients"
HERE = Path(__file__).parent


class Missing(Exception):
    """A program that a client needs is not on this machine."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment of one client."""

    name: str  # Of its requirements file.
    python: str = ""  # The version it needs; empty for that of the project.
    alone: str = ""  # A package that is installed without its dependencies.

    @property
    def bin(self) -> Path:
        """Its programs."""
        return FOLDER / self.name / "bin"

    def install(self) -> None:
        """Install the packages, unless this was done since the requirements changed."""
        requirements = HERE / "requirements" / f"{self.name}.txt"
        done = FOLDER / self.name / ".installed"
        if done.exists() and done.read_text() == requirements.read_text() + self.alone:
            return
        _uv("venv", "--clear", "--python", self._interpreter(), str(FOLDER / self.name))
        target = ["--python", str(self.bin / "python")]
        _uv("pip", "install", *target, "--require-hashes", "--requirement", str(requirements))
        if self.alone:
            _uv("pip", "install", *target, "--no-deps", self.alone)
        done.write_text(requirements.read_text() + self.alone)

    def _interpreter(self) -> str:
        if not self.python:
            return str(DEV_BIN / "python")
        # A shim of pyenv can be on the PATH and not run, so the versions themselves are tried too.
        name = f"python{self.python}"
        found = [shutil.which(name), *Path.home().glob(f".pyenv/versions/{self.python}.*/bin/{name}")]
        for candidate in map(str, filter(None, found)):
            shown = subprocess.run([candidate, "-V"], capture_output=True, check=False)  # noqa: S603 - a Python.
            if shown.returncode == 0:
                return candidate
        raise Missing(f"Python {self.python} is not on this machine")


HOME_ASSISTANT = Environment("home-assistant", python="3.13")
GLUPREDKIT = Environment("glupredkit-needs", alone="glupredkit==1.0.32")


def install_oref0() -> Path:
    """Install oref0 by npm without running scripts of packages, and return its folder of programs."""
    npm = shutil.which("npm")
    if npm is None:
        raise Missing("npm is not on this machine")
    folder = FOLDER / "oref0"
    folder.mkdir(parents=True, exist_ok=True)
    lock = (HERE / "oref0" / "package-lock.json").read_text()
    programs = folder / "node_modules" / "oref0" / "bin"
    if not programs.exists() or (folder / "package-lock.json").read_text() != lock:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "oref0" / name, folder / name)
        subprocess.run(  # noqa: S603 - our own command.
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True
        )
    return programs


def _uv(*arguments: str) -> None:
    subprocess.run([str(DEV_BIN / "uv"), *arguments, "--quiet"], check=True)  # noqa: S603 - our own command.
