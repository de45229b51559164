"""`python -m tests.mutation [MODULE…]` tries every mutant, writes REPORT.md, fails without reasons."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from tests.mutation import report, trial
from tests.mutation.modules import MODULES, source_of
from tests.mutation.mutants import mutants_of
from tests.mutation.report import Tried

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TRIALS_AT_ONCE = os.cpu_count() or 1


def main() -> int:
    """Try the mutants, print the scores, and write the report after a full run."""
    parser = argparse.ArgumentParser(prog="tests.mutation", description="Does a test fail for every break?")
    parser.add_argument("modules", nargs="*", help="part of a module's name; all of them unless said")
    parts = parser.parse_args().modules
    chosen = [name for name in MODULES if not parts or any(part in name for part in parts)]
    # Without a mutant every module must pass, or every mutant would look killed.
    for name in chosen:
        if not _passes(name):
            print(f"{name} fails its tests as it is.", file=sys.stderr)
            return 1
    tried = sorted(_try_all(chosen), key=lambda one: (one.module, one.mutant.number))
    explained = report.reasons()
    print(report.as_markdown(tried, explained))
    if not parts:
        report.write(tried, explained)
    return 1 if report.unexplained(tried, explained) else 0


def _passes(module: str) -> bool:
    _, status = os.waitpid(trial.start(module, source_of(module), MODULES[module]), 0)
    return trial.verdict(status) is trial.Verdict.SURVIVED


def _try_all(modules: Iterable[str]) -> Iterator[Tried]:
    running: dict[int, Tried] = {}
    for module in modules:
        for mutant in mutants_of(source_of(module)):
            if len(running) == _TRIALS_AT_ONCE:
                yield _next_to_end(running)
            pid = trial.start(module, mutant.source, MODULES[module])
            running[pid] = Tried(module, mutant, trial.Verdict.KILLED)
    while running:
        yield _next_to_end(running)


def _next_to_end(running: dict[int, Tried]) -> Tried:
    pid, status = os.wait()
    begun = running.pop(pid)
    ended = Tried(begun.module, begun.mutant, trial.verdict(status))
    print(
        "." if ended.killed else f"\n{ended.module}:{ended.mutant.number} {ended.mutant.name}",
        flush=True,
        end="",
    )
    return ended


if __name__ == "__main__":
    sys.exit(main())
