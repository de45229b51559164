"""Creates the git tag of a release: the command of `make release`."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from local.paths import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

# "## 1.2.3" is a released version, "## 1.2.3 (unreleased)" is not.
_HEADING = re.compile(r"^## (?P<version>\d+\.\d+\.\d+)(?P<rest>.*)$", re.MULTILINE)
_VERSION = re.compile(r'^VERSION = "(.*)"$', re.MULTILINE)


class NotReleasable(Exception):
    """Its message states what to do before the release."""


def release(checkout: Path) -> str:
    """Tag the current commit with the newest version of CHANGELOG.md and return the tag."""
    newest = _HEADING.search((checkout / "CHANGELOG.md").read_text(encoding="utf-8"))
    if newest is None:
        raise NotReleasable("CHANGELOG.md has no heading such as '## 1.2.3'.")
    version, rest = newest["version"], newest["rest"].strip()
    if rest:
        raise NotReleasable(
            f"CHANGELOG.md has the heading '{version} {rest}': remove '{rest}' and commit first."
        )
    code = _VERSION.search((checkout / "layers/core/bg_ingest/version.py").read_text(encoding="utf-8"))
    if code is None or code[1] != version:
        raise NotReleasable(
            f"bg_ingest/version.py has another version than CHANGELOG.md, which has {version}."
        )
    if _git(checkout, "status", "--porcelain"):
        raise NotReleasable("There are uncommitted changes: commit or remove them first.")
    tag = f"v{version}"
    if _git(checkout, "tag", "--list", tag):
        raise NotReleasable(f"{tag} exists already: add a heading for the next version to CHANGELOG.md.")
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
    """Create the tag, or print why it cannot be created."""
    try:
        tag = release(CHECKOUT)
    except NotReleasable as reason:
        print(f"Not released: {reason}", file=sys.stderr)
        return 1
    print(f"Tagged {tag}. Publish it with 'git push origin {tag}'.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
