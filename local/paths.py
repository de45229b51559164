"""Paths: the checkout, its virtual environments, and the state folder of a local cloud."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
TEMPLATE = CHECKOUT / "template.yaml"
CORE = CHECKOUT / "layers" / "core"
SIMULATOR = CHECKOUT / "simulators" / "dexcom"
NIGHTSCOUT_SIMULATOR = CHECKOUT / "simulators" / "nightscout"
# The import path of this checkout. Started processes get it, so they never run another checkout's code.
PYTHONPATH = ":".join(str(folder) for folder in (CORE, SIMULATOR, NIGHTSCOUT_SIMULATOR, CHECKOUT))
DEV_BIN = CHECKOUT / ".venv" / "bin"
SAM_BIN = CHECKOUT / ".venv-sam" / "bin"
EMULATOR_BIN = CHECKOUT / ".venv-aws" / "bin"


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The state folder of a local cloud: its logs, its build, its processes and its addresses."""

    folder: Path
    scratch: Path | None = None  # The parent of the temporary folder; by default the state folder.

    @property
    def stack_file(self) -> Path:
        """The addresses and tokens, written when the cloud is ready and removed when it ends."""
        return self.folder / "stack.json"

    @property
    def fingerprint(self) -> Path:
        """What was started: a hash of the options and the code."""
        return self.folder / "fingerprint"

    @property
    def demo_header(self) -> Path:
        """The demo user's Authorization header, for curl."""
        return self.folder / "demo.header"

    @property
    def processes_file(self) -> Path:
        """The record of its processes."""
        return self.folder / "processes.json"

    @property
    def logs(self) -> Path:
        """The output of its processes."""
        return self.folder / "logs"

    @property
    def build(self) -> Path:
        """The build of the functions and the layer for this machine's Python."""
        return self.folder / "build"

    @property
    def kept(self) -> Path:
        """The data that the next start continues with."""
        return self.folder / "kept"

    @property
    def kept_file(self) -> Path:
        """The record of the stack that the data belongs to."""
        return self.kept / "cloud.json"

    @property
    def temporary(self) -> Path:
        """The emulator's temporary folder, removed when it ends."""
        return (self.scratch or self.folder) / "tmp"


def write_private(file: Path, text: str) -> None:
    """Write a file with a secret: no other user of this machine can read it, not even for a moment."""
    file.unlink(missing_ok=True)  # A file that is there would keep its mode.
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text)


DEFAULT_STATE = StateFolder(CHECKOUT / ".local")
