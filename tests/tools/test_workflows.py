"""The workflows for GitHub: what they run is what the project runs itself."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from local.paths import CHECKOUT

FOLDER = CHECKOUT / ".github" / "workflows"
MAKEFILE = (CHECKOUT / "Makefile").read_text()


def _workflow(name: str) -> dict[str, Any]:
    workflow: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return workflow


def _commands(name: str, job: str) -> str:
    return "\n".join(step.get("run", "") for step in _workflow(name)["jobs"][job]["steps"])


def test_ci_runs_the_projects_own_script() -> None:
    """A failure there can be repeated on any machine."""
    assert _commands("ci.yaml", "test").split()[-1] == ".ci/run"
    assert (CHECKOUT / ".ci" / "run").stat().st_mode & 0o111


def test_ci_builds_the_container_image() -> None:
    """From the Dockerfile of this folder."""
    assert re.search(r"docker build .*\.$", _commands("ci.yaml", "image"), re.MULTILINE)
    assert (CHECKOUT / "Dockerfile").exists()


def test_a_release_has_a_tag_and_a_bill_of_materials() -> None:
    """Both come from the project's own commands."""
    commands = _commands("release.yaml", "release")
    targets = re.findall(r"^make (\S+)$", commands, re.MULTILINE)

    assert targets == ["release", "sbom"]
    assert all(re.search(rf"^{target}:", MAKEFILE, re.MULTILINE) for target in targets)
    assert "dist/sbom.cdx.json" in commands.splitlines()[-1]


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir()))
def test_a_workflow_has_few_rights_and_pinned_actions(name: str) -> None:
    """An action is pinned to a commit, because a tag can be moved."""
    workflow = _workflow(name)
    used = [step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]

    assert list(workflow["permissions"]) == ["contents"]
    assert used
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action) for action in used)


def test_make_check_lints_the_workflows() -> None:
    """By the schema of workflows."""
    assert "vendor.github-workflows .github/workflows/*.yaml" in MAKEFILE
