from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tools.release import NotReleasable, release

if TYPE_CHECKING:
    from pathlib import Path

_NOBODY = ["-c", "user.name=BG Ingest", "-c", "user.email=tests@example.org"]


@dataclass(frozen=True, slots=True)
class Checkout:
    """A repository of a test's own."""

    folder: Path

    def git(self, *arguments: str) -> str:
        """Run git in it."""
        command = ["git", *_NOBODY, *arguments]
        done = subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True)  # noqa: S603 - ours.
        return done.stdout.strip()

    def commit(self, heading: str, version: str) -> None:
        """A commit with this newest heading and this version in the code."""
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
    """Released, committed, and not tagged yet."""
    # Whatever the person's own git is told to do, such as signing tags, is no part of this.
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, "/dev/null")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "BG Ingest")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "tests@example.org")
    made = Checkout(tmp_path)
    made.git("init", "--quiet")
    made.commit("1.0.0", "1.0.0")
    return made


def test_a_released_version_is_tagged_once(checkout: Checkout) -> None:
    """The tag is on the commit, and a second time there is nothing to release."""
    assert release(checkout.folder) == "v1.0.0"
    assert checkout.git("rev-list", "-n1", "v1.0.0") == checkout.git("rev-parse", "HEAD")
    checkout.git("commit", "--quiet", "--allow-empty", "--message", "More")
    with pytest.raises(NotReleasable, match=r"v1\.0\.0 exists already"):
        release(checkout.folder)


def test_what_is_being_worked_on_is_not_released(checkout: Checkout) -> None:
    """Its heading says so, and so does the refusal."""
    checkout.commit("1.1.0 (unreleased)", "1.1.0")
    with pytest.raises(NotReleasable, match=r"take '.unreleased.' away"):
        release(checkout.folder)


@pytest.mark.parametrize("name", ["CHANGELOG.md", "new.py"])
def test_changes_that_are_not_committed_are_refused(checkout: Checkout, name: str) -> None:
    """Changed or new: the tag would name something else than what was tested."""
    file = checkout.folder / name
    file.write_text((file.read_text() if file.exists() else "") + "\n")
    with pytest.raises(NotReleasable, match="not committed"):
        release(checkout.folder)
    assert checkout.git("tag") == ""


def test_the_code_must_say_the_same_version(checkout: Checkout) -> None:
    """/health would answer with another one."""
    checkout.commit("1.1.0", "1.0.0")
    with pytest.raises(NotReleasable, match=r"version\.py does not say 1\.1\.0"):
        release(checkout.folder)


def test_a_changelog_without_a_version_is_refused(checkout: Checkout) -> None:
    """Nothing is made up."""
    checkout.commit("Soon", "1.0.0")
    (checkout.folder / "CHANGELOG.md").write_text("# Changelog\n")
    with pytest.raises(NotReleasable, match="no heading"):
        release(checkout.folder)
