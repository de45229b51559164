"""The commands that build the layer."""

from __future__ import annotations

import os
import shlex
import subprocess

import pytest

from local.paths import CHECKOUT


@pytest.mark.parametrize("layer", ["core", "export"])
def test_a_folder_with_spaces_is_one_argument(layer: str) -> None:
    """Each path of the checkout reaches its program whole. A failed installation is repeated offline."""
    uv, python, out = "/a b/uv", "/a b/python", "/a b/out"
    ran = subprocess.run(  # noqa: S603 - the names of our layers.
        ["make", "--dry-run", f"build-{layer.capitalize()}Layer"],  # noqa: S607 - wherever make is.
        cwd=CHECKOUT / "layers" / layer,
        env={
            "PATH": os.environ["PATH"],  # noqa: TID251 - the PATH of the test.
            "LAYER_FOR": "host",
            "UV": uv,
            "HOST_PYTHON": python,
            "ARTIFACTS_DIR": out,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    words = [word for line in ran.stdout.splitlines() for word in shlex.split(line, comments=True)]

    assert [word for word in words if word.startswith("/a") and not word.startswith("/a b/")] == []
    assert {uv, python, f"{out}/python", "--offline"} <= set(words)
