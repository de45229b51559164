"""A temporary folder in memory, into which a local cloud unpacks the layer."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# The emulator unpacks the layer for every function. Deleting so many files from a disk takes half a minute.
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it.
_MEMORY_BYTES_MIN = 2 * 2**30


@contextmanager
def in_memory() -> Iterator[Path | None]:
    """A folder, if there is enough memory for it."""
    if not _is_good():
        yield None
        return
    with TemporaryDirectory(prefix="bg-ingest-", dir=_MEMORY) as folder:
        yield Path(folder)


def _is_good() -> bool:
    if not _MEMORY.is_dir():
        return False
    kept = os.statvfs(_MEMORY)
    # Containers often have 64 MB, or do not allow loading libraries from it.
    return kept.f_bavail * kept.f_frsize > _MEMORY_BYTES_MIN and not kept.f_flag & os.ST_NOEXEC
