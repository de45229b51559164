"""Paths: the checkout, its virtual environments, and the state folder of a local cloud."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
TEMPLATE = CHECKOUT / "template.yaml"
CORE = CHECKOUT / "layers" / "core"
SIMULATOR = CHECKOUT / "simulators" / "dexcom"
# Where Python finds this checkout's own code. An installed copy or another checkout would be other code.
PYTHONPATH = ":".join(str(folder) for folder in (CORE, SIMULATOR, CHECKOUT))
DEV_BIN = CHECKOUT / ".venv" / "bin"
SAM_BIN = CHECKOUT / ".venv-sam" / "bin"
EMULATOR_BIN = CHECKOUT / ".venv-aws" / "bin"


@dataclass(frozen=True, slots=True)
class State:
    """One local cloud's folder: what it logged, what it built, and the addresses it can be reached at."""

    folder: Path
    scratch: Path | None = None  # Where the temporary folder goes, if not beside the rest.

    @property
    def stack_file(self) -> Path:
        """Where the addresses are written once it is ready; there as long as it runs."""
        return self.folder / "stack.json"

    @property
    def demo_header(self) -> Path:
        """The demo user's Authorization header, for curl."""
        return self.folder / "demo.header"

    @property
    def processes_file(self) -> Path:
        """Which processes belong to it."""
        return self.folder / "processes.json"

    @property
    def logs(self) -> Path:
        """What its processes printed."""
        return self.folder / "logs"

    @property
    def build(self) -> Path:
        """What SAM built for this machine's own Python."""
        return self.folder / "build"

    @property
    def temporary(self) -> Path:
        """The emulator's temporary folder, removed when it ends."""
        return (self.scratch or self.folder) / "tmp"


DEFAULT_STATE = State(CHECKOUT / ".local")
