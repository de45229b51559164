"""Paths: the checkout, its virtual environments, and the state folder of a local cloud."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
TEMPLATE = CHECKOUT / "template.yaml"
CORE = CHECKOUT / "layers" / "core"
SIMULATOR = CHECKOUT / "simulators" / "dexcom"
# The import path of this checkout. Started processes get it, so they never run another checkout's code.
PYTHONPATH = ":".join(str(folder) for folder in (CORE, SIMULATOR, CHECKOUT))
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
    def temporary(self) -> Path:
        """The emulator's temporary folder, removed when it ends."""
        return (self.scratch or self.folder) / "tmp"


DEFAULT_STATE = StateFolder(CHECKOUT / ".local")
