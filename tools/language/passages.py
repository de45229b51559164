"""Passages of a file, found by the kind of file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.language import documents
from tools.language.python_source import python

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tools.language.prose import Passage

_READERS = {
    ".md": documents.markdown,
    ".html": documents.html,
    ".json": documents.labels,
    ".yaml": documents.yaml,
    ".yml": documents.yaml,
    ".toml": documents.commented,
    ".sh": documents.commented,
}
_COMMENTED = {"Makefile", "Dockerfile", ".gitignore", ".dockerignore"}


def in_file(path: Path, text: str) -> Iterator[Passage]:
    """The passages of one file; a kind of file without prose has no passages."""
    if path.suffix == ".py":
        return python(path, text)
    if path.suffix in _READERS:
        return _READERS[path.suffix](text)
    return documents.commented(text) if path.name in _COMMENTED or text.startswith("#!") else iter(())
