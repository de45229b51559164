"""Profiler that records the source files of the service in which a function runs."""

from __future__ import annotations

import inspect
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bg_ingest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_PACKAGE = Path(bg_ingest.__file__).parent
_FUNCTIONS = Path(__file__).parents[2] / "functions"
# What a reader of a way takes as given: logs and metrics, and the calls that a library of AWS would make.
_LEFT_OUT = (f"{_PACKAGE / 'telemetry'}/", f"{_PACKAGE / 'aws'}/")


@contextmanager
def entered_files() -> Iterator[set[str]]:
    """
    Gather the files of the service that are entered by this thread and by threads that it starts.

    A file is entered if a function in it runs. Code of modules and classes runs at import only and does not
    count. Telemetry and the clients of AWS are left out.
    """
    found: set[str] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
            found.add(frame.f_code.co_filename)

    named: set[str] = set()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield named
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    named |= {name for path in found if (name := _name(path))}


def _name(path: str) -> str | None:
    """The short name of a file of the service; None for any other file."""
    if path.startswith(_LEFT_OUT):
        return None
    for root in (_PACKAGE, _FUNCTIONS):
        if path.startswith(f"{root}/"):
            return Path(path).relative_to(root.parent).as_posix()
    return None
