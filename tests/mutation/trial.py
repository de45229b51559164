"""One mutant's trial in a process of its own, where imports return the mutant."""

# Each trial is forked from a process that has imported everything but the tested module, so it costs little
# more
# than its tests. The checkout is never changed: the mutant exists in the import system only.

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import resource
import sys
from enum import StrEnum
from typing import TYPE_CHECKING

# Modules that the tests need besides this project's, imported once for all trials.
import hypothesis.strategies
import pydantic_settings  # noqa: F401
import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

# Many times the duration of the tests. CPU time and not clock time, so a busy machine kills no mutant.
CPU_S_MAX = 60
MEMORY_BYTES_MAX = 2 * 1024**3  # Of address space, of which each thread of a test reserves much.
# Plugins that the tests of the pure core do not need and that start slowly: fixtures, other processes.
_OPTIONS = (
    "-x",
    "--quiet",
    "--override-ini=addopts=--import-mode=importlib",
    "--noconftest",
    "--hypothesis-profile=mutation",
    *(f"-pno:{plugin}" for plugin in ("randomly", "xdist", "socket", "anyio", "cacheprovider")),
    "-Wignore::pytest.PytestAssertRewriteWarning",  # Hypothesis is imported already; it asserts nothing.
)
# Deterministic: every run has the same survivors.
hypothesis.settings.register_profile(
    "mutation",
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)


class Verdict(StrEnum):
    """The result of a mutant's trial."""

    KILLED = "killed"
    SURVIVED = "survived"


class _Substitute(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """An import finder that returns the mutant for the module."""

    def __init__(self, module: str, source: str) -> None:
        self._module = module
        self._code = compile(source, f"<a mutant of {module}>", "exec")

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Return the mutant under the module's name."""
        return importlib.util.spec_from_loader(fullname, self) if fullname == self._module else None

    def exec_module(self, module: ModuleType) -> None:
        """Run the mutant as the module."""
        exec(self._code, module.__dict__)  # noqa: S102 - code of this project with one change.


def start(module: str, source: str, tests: Sequence[str]) -> int:
    """Start a trial and return its process."""
    assert not [name for name in sys.modules if name.startswith("bg_ingest")], "tested before it was broken"
    pid = os.fork()
    if pid == 0:
        os._exit(_try(module, source, tests))
    return pid


def verdict(status: int) -> Verdict:
    """Return the verdict from the process's end; an endless loop or too much memory also kills the mutant."""
    return Verdict.SURVIVED if status == pytest.ExitCode.OK else Verdict.KILLED


def _try(module: str, source: str, tests: Sequence[str]) -> int:
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    sys.meta_path.insert(0, _Substitute(module, source))
    return int(pytest.main([*_OPTIONS, *tests]))
