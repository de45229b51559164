"""
Run the Python examples of the Dexcom client and of the simulator's tests outside the checkout.

    python -m tests.examples.library

It installs both packages into an empty environment, and runs each document's examples in an empty folder.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from local.paths import CHECKOUT

# The document, and the text before the first example that is run.
_DOCUMENTS = (("docs/dexcom-client.md", "## Read data"), ("simulators/dexcom/README.md", "## Use in a test"))
_PACKAGES = ("layers/core[logs]", "simulators/dexcom[in-process]")
_UV = CHECKOUT / ".venv" / "bin" / "uv"


def main() -> int:
    """Run the examples of each document; return how many documents failed."""
    with TemporaryDirectory() as folder:
        python = _installed(Path(folder) / "environment")
        return sum(_failed(python, document, start, Path(folder)) for document, start in _DOCUMENTS)


def _installed(environment: Path) -> Path:
    python = environment / "bin" / "python"
    packages = [str(CHECKOUT / package) for package in _PACKAGES]
    for arguments in (["venv", str(environment)], ["pip", "install", "--python", str(python), *packages]):
        subprocess.run([_UV, "--quiet", *arguments], check=True)  # noqa: S603 - a program of this project.
    return python


def _failed(python: Path, document: str, start: str, folder: Path) -> bool:
    text = (CHECKOUT / document).read_text(encoding="utf-8").partition(start)[2]
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    done = subprocess.run(  # noqa: S603 - examples of this project.
        [python, "-W", "error", "-"],
        input="\n".join(examples),
        cwd=folder,
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    failed = done.returncode != 0 or not examples
    outcome = "FAILED" if failed else "ok    "
    sys.stdout.write(f"{outcome} {document}: {len(examples)} examples\n{done.stderr}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
