"""What became of the mutants, for people; and the reasons why some of them may live."""

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
# What the tests notice

Written by `make mutation`: every small way to break the pure core (`mutants.py`), one at a time, and whether
a test of that module failed (`modules.py` says which tests are asked). Each survivor was looked at; the
reason why it may live is in `survivors.toml`. A survivor without a reason fails the run.
"""

Named = tuple[str, str, str]  # Module, line, change: what stays when lines move.


@dataclass(frozen=True, slots=True)
class Tried:
    """A mutant, and what became of it."""

    module: str
    mutant: Mutant
    verdict: Verdict

    @property
    def killed(self) -> bool:
        """Whether a test failed."""
        return self.verdict is Verdict.KILLED

    @property
    def named(self) -> Named:
        """How survivors.toml names it."""
        return self.module, self.mutant.line, self.mutant.name


def reasons() -> dict[Named, str]:
    """Why each survivor may live."""
    entries = tomllib.loads((_FOLDER / "survivors.toml").read_text())["survivor"]
    return {
        (entry["module"], entry["line"], change): entry["why"]
        for entry in entries
        for change in entry["changes"]
    }


def unexplained(tried: Sequence[Tried], explained: Mapping[Named, str]) -> list[Tried]:
    """The survivors nobody has given a reason for."""
    return [one for one in tried if not one.killed and one.named not in explained]


def as_markdown(tried: Sequence[Tried], explained: Mapping[Named, str]) -> str:
    """A table of scores, and the survivors with their reasons."""
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
            why = explained.get(one.named, "**nobody has said**")
            lines.append(
                f"| `{one.module}` `{_cell(one.mutant.line)}` | `{_cell(one.mutant.name)}` | {why} |"
            )
    return "\n".join(lines) + "\n"


def write(tried: Sequence[Tried], explained: Mapping[Named, str]) -> None:
    """REPORT.md."""
    (_FOLDER / "REPORT.md").write_text(as_markdown(tried, explained))


def _score(name: str, tried: Sequence[Tried]) -> str:
    killed = sum(one.killed for one in tried)
    return f"| {name} | {len(tried)} | {killed} | {100 * killed / len(tried):.1f} % |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
