"""One mutant's trial: a process of its own in which the tests find it where the module was."""

# A process is forked from one that has imported everything but what is tested, so a trial costs little more
# than its tests. The checkout is never touched: the mutant stands in the import system alone.

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import resource
import sys
from enum import StrEnum
from typing import TYPE_CHECKING

# What the tests need beside us, imported once for all trials.
import hypothesis.strategies
import pydantic_settings  # noqa: F401
import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

# Many times what the tests take. Of the processor and not of the clock: a busy machine kills no mutant.
CPU_S_MAX = 60
MEMORY_BYTES_MAX = 1024**3
# What the tests of the pure core do without takes longer to start than they do: fixtures, other processes.
_OPTIONS = (
    "-x",
    "--quiet",
    "--override-ini=addopts=--import-mode=importlib",
    "--noconftest",
    "--hypothesis-profile=mutation",
    *(f"-pno:{plugin}" for plugin in ("randomly", "xdist", "socket", "anyio", "cacheprovider")),
    "-Wignore::pytest.PytestAssertRewriteWarning",  # Hypothesis is imported already, and asserts nothing.
)
# The same every time, or a mutant would be killed today and survive tomorrow; what kills need not be small.
hypothesis.settings.register_profile(
    "mutation",
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)


class Verdict(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"


class _Substitute(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a mutant where a module is looked for."""

    def __init__(self, module: str, source: str) -> None:
        self._module = module
        self._code = compile(source, f"<a mutant of {module}>", "exec")

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """The mutant, under the module's name."""
        return importlib.util.spec_from_loader(fullname, self) if fullname == self._module else None

    def exec_module(self, module: ModuleType) -> None:
        """Run it as the module."""
        exec(self._code, module.__dict__)  # noqa: S102 - it is our own code, changed a little.


def start(module: str, source: str, tests: Sequence[str]) -> int:
    """Begin a trial; the process it runs in."""
    assert not [name for name in sys.modules if name.startswith("bg_ingest")], "tested before it was broken"
    pid = os.fork()
    if pid == 0:
        os._exit(_try(module, source, tests))
    return pid


def verdict(status: int) -> Verdict:
    """What the end of the trial's process says; without end or measure is noticed, too."""
    return Verdict.SURVIVED if status == pytest.ExitCode.OK else Verdict.KILLED


def _try(module: str, source: str, tests: Sequence[str]) -> int:
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    sys.meta_path.insert(0, _Substitute(module, source))
    return int(pytest.main([*_OPTIONS, *tests]))
