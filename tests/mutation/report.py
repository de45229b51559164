"""The report of the mutants, and the reasons for survivors."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from tests.mutation.trial import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.mutation.mutants import Mutant

_FOLDER = Path(__file__).parent
_ABOUT = """\
# Mutation test report

Written by `make mutation`, which applies every small change to the pure core (`mutants.py`), one at a time.
It records whether a test of that module failed (`modules.py` lists the tests). The reason for each survivor
is in `survivors.toml`. A survivor without a reason fails the run.
"""

Named = tuple[str, str, str]  # Module, line and change: stable when lines move.


@dataclass(frozen=True, slots=True)
class Tried:
    """A mutant and its verdict."""

    module: str
    mutant: Mutant
    verdict: Verdict

    @property
    def killed(self) -> bool:
        """Whether a test failed."""
        return self.verdict is Verdict.KILLED

    @property
    def named(self) -> Named:
        """Return the key in survivors.toml."""
        return self.module, self.mutant.line, self.mutant.name


def reasons() -> dict[Named, str]:
    """Return the reason for each survivor."""
    entries = tomllib.loads((_FOLDER / "survivors.toml").read_text())["survivor"]
    return {
        (entry["module"], entry["line"], change): entry["why"]
        for entry in entries
        for change in entry["changes"]
    }


def unexplained(tried: Sequence[Tried], explained: Mapping[Named, str]) -> list[Tried]:
    """Return the survivors without a reason."""
    return [one for one in tried if not one.killed and one.named not in explained]


def as_markdown(tried: Sequence[Tried], explained: Mapping[Named, str]) -> str:
    """Return a table of scores, and the survivors with their reasons."""
    lines = [_ABOUT, "| module | mutants | killed | |", "|---|---:|---:|---:|"]
    lines += [_score(f"`{name}`", list(group)) for name, group in groupby(tried, lambda one: one.module)]
    lines += [
        _score("all", tried),
        "",
        "## Survivors",
        "",
        "| where | change | why it may live |",
        "|---|---|---|",
    ]
    for one in tried:
        if not one.killed:
            why = explained.get(one.named, "**no reason given**")
            lines.append(
                f"| `{one.module}` `{_cell(one.mutant.line)}` | `{_cell(one.mutant.name)}` | {why} |"
            )
    return "\n".join(lines) + "\n"


def write(tried: Sequence[Tried], explained: Mapping[Named, str]) -> None:
    """Write REPORT.md."""
    (_FOLDER / "REPORT.md").write_text(as_markdown(tried, explained))


def _score(name: str, tried: Sequence[Tried]) -> str:
    killed = sum(one.killed for one in tried)
    return f"| {name} | {len(tried)} | {killed} | {100 * killed / len(tried):.1f} % |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
