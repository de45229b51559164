"""
Starts SAM, with two changes that only save time.

YAML: SAM parses template.yaml a dozen times in pure Python, which is half of its CPU time. libyaml, a part of
PyYAML, returns the same in a tenth of the time.

Archives: they are packed at the lowest level. The emulated AWS unpacks them on the same machine.

Run it with the Python that has SAM: `.venv-sam/bin/python -P local/quick_sam.py build`.
"""

import sys
import zipfile
from typing import Any

import yaml

_FASTEST = 1


class QuickArchive(zipfile.ZipFile):
    """An archive whose files are compressed at the lowest level."""

    def writestr(self, *args: Any, **named: Any) -> None:
        """Add a file, as SAM does it for each file of a function or a layer."""
        super().writestr(*args, **{"compresslevel": _FASTEST} | named)


if __name__ == "__main__":
    yaml.SafeLoader = yaml.CSafeLoader  # type: ignore[assignment, misc]
    zipfile.ZipFile = QuickArchive  # type: ignore[misc]
    from samcli.cli.main import cli  # After the changes, so that all of SAM sees them.

    sys.exit(cli(prog_name="sam"))
