"""The files of the repository that hold prose of our own, and everything the linter finds in them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tools.language import rules
from tools.language.passages import in_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tools.language.rules import Allowed, Finding

# Generated files, and texts of third parties. CHANGELOG.md is checked.
_SKIPPED_NAMES = {"LICENSE", "results.json", "openapi.json"}


def files(root: Path, paths: Iterable[str] = ()) -> list[Path]:
    """The tracked files below the paths, or below the root if no path is given."""
    listed = subprocess.run(  # noqa: S603 - the arguments are paths, after "--".
        ["git", "ls-files", "-z", "--", *paths],  # noqa: S607 - git is found by the PATH.
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    found = (root / name for name in listed.stdout.split("\0") if name)
    return [path for path in found if path.is_file() and not path.is_symlink() and not _skipped(path)]


def findings(
    root: Path, chosen: Iterable[Path], allowed: Sequence[Allowed] = ()
) -> Iterator[tuple[str, Finding]]:
    """Each finding with the name of its file, except those in allowed places."""
    for path in chosen:
        relative = path.relative_to(root)
        name = relative.as_posix()
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue  # An image or an archive holds no prose.
        for passage in in_file(relative, text):
            for finding in rules.check(passage):
                if not any(_covers(place, name, finding) for place in allowed):
                    yield name, finding


def unused(root: Path, allowed: Iterable[Allowed]) -> list[Allowed]:
    """Allowed places whose text is no longer in their file."""
    return [place for place in allowed if not _is_there(root / place.file, place.text)]


def _skipped(path: Path) -> bool:
    generated = path.name.startswith("requirements") and path.suffix == ".txt"
    return path.name in _SKIPPED_NAMES or path.suffix == ".lock" or generated


def _covers(place: Allowed, name: str, finding: Finding) -> bool:
    return place.file == name and " ".join(rules.masked(place.text).split()) in finding.sentence


def _is_there(path: Path, text: str) -> bool:
    return path.is_file() and " ".join(text.split()) in " ".join(path.read_text().split())
