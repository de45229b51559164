from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tools.release import NotReleasable, release

if TYPE_CHECKING:
    from pathlib import Path

_IDENTITY = ["-c", "user.name=BG Ingest", "-c", "user.email=tests@example.org"]


@dataclass(frozen=True, slots=True)
class Checkout:
    """A temporary git repository."""

    folder: Path

    def git(self, *arguments: str) -> str:
        """Run git in this repository."""
        command = ["git", *_IDENTITY, *arguments]
        done = subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True)  # noqa: S603 - our own command.
        return done.stdout.strip()

    def commit(self, heading: str, version: str) -> None:
        """Commit this newest heading of the changelog and this version in the code."""
        (self.folder / "CHANGELOG.md").write_text(
            f"# Changelog\n\n## {heading}\n\n- New.\n\n## 0.9.0\n\n- Old.\n"
        )
        code = self.folder / "layers/core/bg_ingest/version.py"
        code.parent.mkdir(parents=True, exist_ok=True)
        code.write_text(f'VERSION = "{version}"\n')
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", heading)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A repository with a released version, committed and not tagged yet."""
    # The user's own git configuration, such as signing tags, does not apply here.
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, "/dev/null")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "BG Ingest")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "tests@example.org")
    made = Checkout(tmp_path)
    made.git("init", "--quiet")
    made.commit("1.0.0", "1.0.0")
    return made


def test_a_version_is_tagged_once(checkout: Checkout) -> None:
    """The tag is on the current commit; a second release of the same version is refused."""
    assert release(checkout.folder) == "v1.0.0"
    assert checkout.git("rev-list", "-n1", "v1.0.0") == checkout.git("rev-parse", "HEAD")
    checkout.git("commit", "--quiet", "--allow-empty", "--message", "More")
    with pytest.raises(NotReleasable, match=r"v1\.0\.0 exists already"):
        release(checkout.folder)


def test_an_unreleased_version_is_not_tagged(checkout: Checkout) -> None:
    """The heading says `(unreleased)`, and the error names it."""
    checkout.commit("1.1.0 (unreleased)", "1.1.0")
    with pytest.raises(NotReleasable, match=r"remove '.unreleased.'"):
        release(checkout.folder)


@pytest.mark.parametrize("name", ["CHANGELOG.md", "new.py"])
def test_uncommitted_changes_are_refused(checkout: Checkout, name: str) -> None:
    """A changed or new file would not be part of the tag."""
    file = checkout.folder / name
    file.write_text((file.read_text() if file.exists() else "") + "\n")
    with pytest.raises(NotReleasable, match="uncommitted"):
        release(checkout.folder)
    assert checkout.git("tag") == ""


def test_the_code_must_have_the_same_version(checkout: Checkout) -> None:
    """Otherwise /health would return another version than the tag."""
    checkout.commit("1.1.0", "1.0.0")
    with pytest.raises(NotReleasable, match=r"another version than CHANGELOG\.md, which has 1\.1\.0"):
        release(checkout.folder)


def test_a_changelog_without_a_version_is_refused(checkout: Checkout) -> None:
    """Without a version heading there is no tag."""
    checkout.commit("Soon", "1.0.0")
    (checkout.folder / "CHANGELOG.md").write_text("# Changelog\n")
    with pytest.raises(NotReleasable, match="no heading"):
        release(checkout.folder)
