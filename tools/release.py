"""Tags the version that CHANGELOG.md has released: the command behind `make release`."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from local.paths import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

# "## 1.2.3" is released, "## 1.2.3 (unreleased)" is being worked on.
_HEADING = re.compile(r"^## (?P<version>\d+\.\d+\.\d+)(?P<rest>.*)$", re.MULTILINE)
_VERSION = re.compile(r'^VERSION = "(.*)"$', re.MULTILINE)


class NotReleasable(Exception):
    """Carries one line that says what has to be done first."""


def release(checkout: Path) -> str:
    """Tag the checkout's commit with the newest version of its CHANGELOG.md; returns the tag."""
    newest = _HEADING.search((checkout / "CHANGELOG.md").read_text(encoding="utf-8"))
    if newest is None:
        raise NotReleasable("CHANGELOG.md has no heading such as '## 1.2.3'.")
    version, rest = newest["version"], newest["rest"].strip()
    if rest:
        raise NotReleasable(
            f"CHANGELOG.md says '{version} {rest}': take '{rest}' away and commit that first."
        )
    code = _VERSION.search((checkout / "layers/core/bg_ingest/version.py").read_text(encoding="utf-8"))
    if code is None or code[1] != version:
        raise NotReleasable(f"bg_ingest/version.py does not say {version}, as CHANGELOG.md does.")
    if _git(checkout, "status", "--porcelain"):
        raise NotReleasable("There are changes that are not committed.")
    tag = f"v{version}"
    if _git(checkout, "tag", "--list", tag):
        raise NotReleasable(
            f"{tag} exists already: the next version needs a heading of its own in CHANGELOG.md."
        )
    _git(checkout, "tag", "--annotate", tag, "--message", f"BG Ingest {version}")
    return tag


def _git(checkout: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own commands.
        ["git", *arguments],  # noqa: S607 - wherever git is.
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotReleasable(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def main() -> int:
    """Tag, or say why not."""
    try:
        tag = release(CHECKOUT)
    except NotReleasable as reason:
        print(f"Not released: {reason}", file=sys.stderr)
        return 1
    print(f"Tagged {tag}. Publish it with 'git push origin {tag}'.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
